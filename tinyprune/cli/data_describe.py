"""``tinyprune data describe``."""

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyprune.cli import options, output

if TYPE_CHECKING:
    from tinyprune.data.corpora.corpus import Corpus
    from tinyprune.data.corpora.description import Description, Summary

FOLDER = click.Path(file_okay=False, exists=True, path_type=Path)
HEADER = [
    "split",
    "kind",
    "files",
    "hours",
    "speakers",
    "kHz",
    "ch",
    "bits",
    "seconds",
    "level dBFS",
    "peak",
]
PROBLEMS = ("clipped", "silent", "unreadable")


@click.command("describe")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option("--noisy", type=FOLDER, metavar="DIR", help="Noisy files of pairs, with --clean.")
@click.option("--clean", type=FOLDER, metavar="DIR", help="Clean files of the same names.")
@options.output_format
def describe(
    paths: tuple[Path, ...], noisy: Path | None, clean: Path | None, output_format: str
) -> None:
    """Show what corpora hold and what is wrong with them.

    PATH is a corpus in a known layout (VoiceBank+DEMAND, MS-SNSD, DNS-Challenge, CHiME-2, folders
    noisy and clean or speech and noise), a CSV manifest, or any folder of audio. Levels are
    percentiles (5, 50, 95) of the files' RMS.
    """
    from tinyprune.data.corpora import description as describing
    from tinyprune.data.corpora import layouts

    corpora = [layouts.recognise(path) for path in paths] + _given(noisy, clean)
    _show([describing.describe(corpus) for corpus in corpora], output_format)


def _given(noisy: Path | None, clean: Path | None) -> "list[Corpus]":
    """The corpus of two folders, if they are given. Raises UsageError where one is missing, or nothing is given."""
    from tinyprune.data.corpora import layouts
    from tinyprune.errors import UsageError

    if noisy and clean:
        return [layouts.paired_folders(noisy, clean)]
    if noisy or clean:
        raise UsageError("--noisy and --clean go together: give both or none")
    if not click.get_current_context().params["paths"]:
        raise UsageError("nothing to describe: give PATH, or --noisy DIR and --clean DIR")
    return []


def _show(found: "Sequence[Description]", output_format: str) -> None:
    """Print descriptions: everything as JSON, numbers as CSV, else a table each with the problems below it."""
    if output_format == "json":
        output.as_json(found)
    elif output_format == "csv":
        rows = [row for description in found for row in _csv_rows(description)]
        output.rows([*rows[0]], [[*row.values()] for row in rows], "csv")
    else:
        for number, description in enumerate(found):
            click.echo("\n" * bool(number) + f"{description.path}: {description.layout}\n")
            output.rows(HEADER, [_row(summary) for summary in description.summaries], "table")
            for line in _remarks(description):
                click.echo(
                    "\n" + textwrap.fill(line, 100, subsequent_indent="  ", break_on_hyphens=False)
                )


def _row(summary: "Summary") -> list[str]:
    """The cells of one kind of files; what is unknown is empty."""
    unit = {"noise": "kind", "audio": "folder"}.get(summary.kind)
    who = (
        _counted(summary.groups, unit)
        if unit
        else ""
        if summary.kind == "rirs"
        else str(summary.groups)
    )
    rates = "/".join(f"{int(rate) / 1000:g}" for rate in summary.sample_rates)
    seconds = (
        ""
        if summary.shortest_seconds is None
        else f"{summary.shortest_seconds:.3g}-{summary.longest_seconds:.3g}"
    )
    levels = " ".join(f"{level:.0f}" for level in summary.level_dbfs.values())
    peak = "" if summary.peak_dbfs is None else f"{summary.peak_dbfs:.1f}".replace("-0.0", "0.0")
    formats = [rates, "/".join(summary.channels), "/".join(summary.bits)]
    counts = [str(summary.files), f"{summary.hours:.2f}", who]
    return [summary.split, summary.kind, *counts, *formats, seconds, levels, peak]


def _counted(number: int, unit: str) -> str:
    """``1 kind``, ``2 kinds``."""
    return f"{number} {unit}" + "s" * (number != 1)


def _remarks(description: "Description") -> Iterator[str]:
    """What the table does not say: SNRs and problems, the first few by name."""
    for summary in description.summaries:
        for problem in PROBLEMS:
            yield from _problem(
                f"{summary.split} {summary.kind}, {problem}", getattr(summary, problem), description
            )
    for pairs in description.pairs:
        snrs = ", ".join(f"{snr} ({count})" for snr, count in pairs.snr_db.items())
        yield f"{pairs.split}: {pairs.pairs} pairs can be used" + (
            f"; SNR in dB (pairs): {snrs}" if snrs else ""
        )
        yield from _problem(
            f"{pairs.split}, pairs that cannot be used", pairs.unusable, description
        )
        yield from _problem(f"{pairs.split}, files without a partner", pairs.unmatched, description)


def _problem(what: str, things: Sequence[str], description: "Description") -> Iterator[str]:
    """One line with the number of problems and the first of them."""
    if things:
        from tinyprune.data.corpora.corpus import first_few

        yield f"{what}: {len(things)}: {first_few([thing.replace(f'{description.path}/', '') for thing in things])}"


def _csv_rows(description: "Description") -> Iterator[dict[str, str]]:
    """A row per split and kind; of lists, their lengths."""
    pairs = {found.split: found for found in description.pairs}
    for summary in description.summaries:
        levels = {
            f"level_p{percent}_dbfs": summary.level_dbfs.get(percent)
            for percent in ("5", "50", "95")
        }
        found = pairs.get(summary.split)
        of_pairs = {name: getattr(found, name, None) for name in ("pairs", "unusable", "unmatched")}
        values = (
            {name: value for name, value in vars(summary).items() if name != "level_dbfs"}
            | levels
            | of_pairs
        )
        corpus = {"path": str(description.path), "layout": description.layout}
        yield corpus | {name: _cell(value) for name, value in values.items()}


def _cell(value: object) -> str:
    """A value as text: counts as "16000:786 48000:2", a list as its length, nothing for None."""
    if isinstance(value, dict):
        return " ".join(f"{key}:{count}" for key, count in value.items())
    return str(len(value)) if isinstance(value, tuple) else "" if value is None else str(value)
