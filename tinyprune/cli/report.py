"""``tinyprune report``."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyprune.cli import options
from tinyprune.cli.values import OUT_FOLDER
from tinyprune.report.render.formats import FORMATS

if TYPE_CHECKING:
    from tinyprune.report.model.record import RunReport


@click.command()
@click.argument("variants", nargs=-1, metavar="[VARIANT]...")
@options.run_folder
@click.option(
    "--operators", is_flag=True, help="With VARIANT: show Vela's operators instead of layers."
)
@click.option(
    "--overlay",
    type=OUT_FOLDER,
    metavar="DIR",
    help="With VARIANT: folder that cycles and flash of its operators are written to, as node data "
    "for Model Explorer.",
)
@click.option(
    "--audio",
    type=click.IntRange(1, 20),
    metavar="N",
    help="With --format html: number of mixtures of dev that are on the page of a speech run to "
    "listen to: noisy, clean, by the float network, and as the device computes it. The network is "
    "VARIANT, else the one to ship, else the newest. Each takes 0.5 MB.  [default: none]",
)
@options.format_option(("table", *FORMATS), "the report")
@options.output_file(
    "File that the report is written to.  "
    f"[default of html: {FORMATS['html'].file_name} in the run folder]"
)
def report(
    variants: tuple[str, ...],
    run: Path,
    operators: bool,
    overlay: Path | None,
    audio: int | None,
    output_format: str,
    path: Path | None,
) -> None:
    """Show what a run has: quality, sizes, cycles, advice. Of VARIANT, layer by layer.

    Nothing is trained or compiled for a report. Of a run that is not finished it shows what is
    there.

    The HTML page is one file with pictures. JSON has everything, with the SHA-256 of every file and
    the command that made it.
    """
    _check_variants(variants, operators, overlay)
    _check_format(output_format, variants, audio)
    if overlay is not None:
        _write_overlays(run, variants, overlay)
    elif output_format == "table":
        _table(run, variants, operators, path)
    else:
        _text(run, output_format, path, _Heard(audio, variants))


def _check_variants(variants: tuple[str, ...], operators: bool, overlay: Path | None) -> None:
    """Raise UsageError for options about variants without one."""
    for option, value in (("--operators", operators), ("--overlay", overlay)):
        if value and not variants:
            raise click.UsageError(f"{option} goes with VARIANT")


def _check_format(output_format: str, variants: tuple[str, ...], audio: int | None) -> None:
    """Raise UsageError for a format that has no sound, or has all variants."""
    if audio and output_format != "html":
        raise click.UsageError(f"--audio goes with --format html: {output_format} has no sound")
    if variants and output_format != "table" and not audio:
        raise click.UsageError(
            f"VARIANT goes with --format table: {output_format} has all variants"
        )


def _table(run: Path, variants: tuple[str, ...], operators: bool, path: Path | None) -> None:
    """Show the report of a run, or of some of its variants, as a table, or write it to a file."""
    from tinyprune.report.render import run_tables, terminal
    from tinyprune.stages.report import report_run

    record = report_run(run)
    if variants:
        shown = run_tables.format_variants(record, variants, operators)
    else:
        shown = run_tables.format_report(record)
    if path is None:
        terminal.show(shown)
    else:
        _write(path, terminal.to_text(shown))


def _write_overlays(run: Path, variants: tuple[str, ...], folder: Path) -> None:
    """Write the costs of operators of variants, and print the names of the files."""
    from tinyprune.stages.report import overlays

    for name in variants:
        for path, text in overlays(run, name, folder).items():
            _write(path, text)


@dataclass(frozen=True)
class _Heard:
    """Recordings of a page: of how many mixtures, None for no audio, and by which variants."""

    mixtures: int | None
    variants: tuple[str, ...]


def _text(run: Path, output_format: str, path: Path | None, heard: _Heard) -> None:
    """Print the report of a run in a format of files, or write it to one."""
    from tinyprune.report.render import formats
    from tinyprune.stages.report import report_run

    record = report_run(run)
    if heard.mixtures is None:
        text = formats.to_format(record, run, output_format)
    else:
        text = _page_with_audio(record, run, heard.mixtures, heard.variants)
    file_name = FORMATS[output_format].file_name
    if path is None and file_name:
        path = run / file_name
    if path is None:
        click.echo(text, nl=False)
    else:
        _write(path, text)


def _page_with_audio(
    record: "RunReport", run: Path, mixtures: int, variants: tuple[str, ...]
) -> str:
    """Return the HTML page with recordings in it."""
    from tinyprune.report.render import html
    from tinyprune.stages.listening import listening

    return html.page(record, run, listening(run, mixtures, variants))


def _write(path: Path, text: str) -> None:
    """Write a report to a file and print its name; to a pipe goes nothing but the report."""
    from tinyprune.storage.records import write_text
    from tinyprune.storage.writing import is_stream

    is_named = not is_stream(path)
    write_text(path, text)
    if is_named:
        click.echo(path)
