"""``tinyprune data describe``."""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

import click

from tinyprune.cli import options, output
from tinyprune.cli.values import PLACE

if TYPE_CHECKING:
    from tinyprune.data.corpora.corpus import Corpus
    from tinyprune.data.corpora.description import Description, PairSummary, Summary

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
GROUPS = {"noise": "kind", "audio": "folder"}  # what is counted where there are no speakers
PERCENTILES = ("5", "50", "95")
ARRAYS = (".npz", ".npy")
_WIDTH = 100


@click.command("describe")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=PLACE)
@click.option(
    "--noisy", type=FOLDER, metavar="DIR", help="Folder of noisy files of pairs, with --clean."
)
@click.option(
    "--clean", type=FOLDER, metavar="DIR", help="Folder of clean files of the same names."
)
@options.output_format
def describe(
    paths: tuple[Path, ...], noisy: Path | None, clean: Path | None, output_format: str
) -> None:
    """Show what corpora hold and what is wrong with them.

    PATH is a corpus in a known layout (VoiceBank+DEMAND, MS-SNSD, DNS-Challenge, CHiME-2, folders
    noisy and clean or speech and noise), a CSV manifest, or any folder of audio. Levels are
    percentiles (5, 50, 95) of the files' RMS. Or all PATHs are arrays, .npz or .npy.
    """
    if paths and all(path.suffix in ARRAYS for path in paths):
        _describe_arrays(paths, output_format)
        return
    from tinyprune.data.corpora import description as describing
    from tinyprune.data.corpora import layouts

    corpora = [layouts.recognise(path) for path in paths]
    pairs = _corpus_of_folders(noisy, clean)
    if pairs is not None:
        corpora.append(pairs)
    _show([describing.describe(corpus) for corpus in corpora], output_format)


def _describe_arrays(paths: Sequence[Path], output_format: str) -> None:
    """Print what files of arrays hold."""
    from tinyprune.cli import arrays_output
    from tinyprune.data.arrays.description import describe_arrays

    arrays_output.show([describe_arrays(path) for path in paths], output_format)


def _corpus_of_folders(noisy: Path | None, clean: Path | None) -> "Corpus | None":
    """Return the corpus of two folders; None where there are none but other corpora.

    Raises UsageError where one is missing, or there is nothing at all.
    """
    from tinyprune.data.corpora import layouts
    from tinyprune.errors import UsageError

    if noisy and clean:
        return layouts.paired_folders(noisy, clean)
    if noisy or clean:
        raise UsageError("--noisy and --clean go together: give both or none")
    if not click.get_current_context().params["paths"]:
        raise UsageError("nothing to describe: give PATH, or --noisy DIR and --clean DIR")
    return None


def _show(descriptions: "Sequence[Description]", output_format: str) -> None:
    """Print descriptions: all as JSON, numbers as CSV, else a table each and its problems below."""
    printers = {"json": output.as_json, "csv": _show_csv, "table": _show_tables}
    printers[output_format](descriptions)


def _show_csv(descriptions: "Sequence[Description]") -> None:
    """Print the numbers of descriptions as CSV."""
    rows: list[dict[str, str]] = []
    for description in descriptions:
        rows += _csv_rows(description)
    output.rows(list(rows[0]), [list(row.values()) for row in rows], "csv")


def _show_tables(descriptions: "Sequence[Description]") -> None:
    """Print the table of each corpus, with an empty line between two."""
    first, *others = descriptions
    _show_table(first)
    for description in others:
        click.echo()
        _show_table(description)


def _show_table(description: "Description") -> None:
    """Print the table of a corpus, with what it does not say below it."""
    click.echo(f"{description.path}: {description.layout}\n")
    output.rows(HEADER, [_row(summary) for summary in description.summaries], "table")
    for line in _remarks(description):
        text = textwrap.fill(line, _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
        click.echo(f"\n{text}")


def _row(summary: "Summary") -> list[str]:
    """Return the cells of one kind of files; what is unknown is empty."""
    seconds = _measured("{:.3g}-{:.3g}", summary.shortest_seconds, summary.longest_seconds)
    peak = _measured("{:.1f}", summary.peak_dbfs)
    return [
        summary.split,
        summary.kind,
        str(summary.files),
        f"{summary.hours:.2f}",
        _groups(summary),
        "/".join(f"{int(rate) / 1000:g}" for rate in summary.sample_rates),
        "/".join(summary.channels),
        "/".join(summary.bits),
        seconds,
        " ".join(f"{level:.0f}" for level in summary.level_dbfs.values()),
        peak.replace("-0.0", "0.0"),
    ]


def _measured(pattern: str, *numbers: float | None) -> str:
    """Return measurements as text; empty where they are unknown."""
    if None in numbers:
        return ""
    return pattern.format(*numbers)


def _groups(summary: "Summary") -> str:
    """Return the number of speakers, ``1 kind`` of noise or ``2 folders``; nothing of rooms."""
    from tinyprune.units import counted

    if summary.kind == "rirs":
        return ""
    if summary.kind not in GROUPS:
        return str(summary.groups)
    return counted(summary.groups, GROUPS[summary.kind])


def _remarks(description: "Description") -> list[str]:
    """Return what the table does not say: SNRs and problems, the first few by name."""
    remarks: list[str] = []
    for summary in description.summaries:
        for problem in PROBLEMS:
            files = f"{summary.split} {summary.kind}, {problem}"
            remarks += _problem(files, getattr(summary, problem), description)
    for pairs in description.pairs:
        remarks.append(_usable(pairs))
        unusable = f"{pairs.split}, pairs that cannot be used"
        remarks += _problem(unusable, pairs.unusable, description)
        misaligned = f"{pairs.split}, pairs that are delayed or inverted"
        remarks += _problem(misaligned, pairs.misaligned, description)
        unmatched = f"{pairs.split}, files without a partner"
        remarks += _problem(unmatched, pairs.unmatched, description)
    return remarks


def _usable(pairs: "PairSummary") -> str:
    """Return how many pairs can be used, and at which SNRs."""
    usable = f"{pairs.split}: {pairs.pairs} pairs can be used"
    snrs = ", ".join(f"{snr} ({count})" for snr, count in pairs.snr_db.items())
    if snrs:
        return f"{usable}; SNR in dB (pairs): {snrs}"
    return usable


def _problem(title: str, files: Sequence[str], description: "Description") -> list[str]:
    """Return a line with the number of files with a problem and the first of them, if any."""
    from tinyprune.data.corpora.corpus import first_few

    if not files:
        return []
    folder = f"{description.path}/"
    names = [name.replace(folder, "") for name in files]
    return [f"{title}: {len(files)}: {first_few(names)}"]


def _csv_rows(description: "Description") -> list[dict[str, str]]:
    """Return a row per split and kind; of lists, their lengths."""
    pairs = {each.split: each for each in description.pairs}
    rows = []
    for summary in description.summaries:
        values: dict[str, object] = {"path": description.path, "layout": description.layout}
        values.update(vars(summary))
        del values["level_dbfs"]
        for percentile in PERCENTILES:
            values[f"level_p{percentile}_dbfs"] = summary.level_dbfs.get(percentile)
        for name in ("pairs", "unusable", "unmatched"):
            values[name] = getattr(pairs.get(summary.split), name, None)
        rows.append({name: _cell(value) for name, value in values.items()})
    return rows


def _cell(value: object) -> str:
    """Return a value as text: counts as "16000:786 48000:2", a list as its length."""
    write = _CELLS.get(type(value), str)
    return write(value)


def _counts(counts: Mapping[str, int]) -> str:
    """Return counts as text."""
    return " ".join(f"{key}:{count}" for key, count in counts.items())


#: Type of a value -> the function that writes it.
_CELLS: dict[type, Callable[[Any], str]] = {
    NoneType: lambda nothing: "",
    dict: _counts,
    tuple: lambda names: str(len(names)),
}
