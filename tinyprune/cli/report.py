"""``tinyprune report``."""

from pathlib import Path

import click

from tinyprune.cli import options
from tinyprune.cli.values import OUT_FOLDER
from tinyprune.report.render.formats import FORMATS


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
    output_format: str,
    path: Path | None,
) -> None:
    """Show what a run has: quality, sizes, cycles, advice. Of VARIANT, layer by layer.

    Nothing is trained or compiled for a report. Of a run that is not finished it shows what is
    there.

    The HTML page is one file with pictures. JSON has everything, with the SHA-256 of every file and
    the command that made it.
    """
    for option, value in (("--operators", operators), ("--overlay", overlay)):
        if value and not variants:
            raise click.UsageError(f"{option} goes with VARIANT")
    if variants and output_format != "table":
        raise click.UsageError(
            f"VARIANT goes with --format table: {output_format} has all variants"
        )
    if overlay is not None:
        _write_overlays(run, variants, overlay)
    elif output_format == "table":
        _table(run, variants, operators, path)
    else:
        _text(run, output_format, path)


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


def _text(run: Path, output_format: str, path: Path | None) -> None:
    """Print the report of a run in a format of files, or write it to one."""
    from tinyprune.report.render import formats
    from tinyprune.stages.report import report_run

    text = formats.to_format(report_run(run), run, output_format)
    file_name = FORMATS[output_format].file_name
    if path is None and file_name:
        path = run / file_name
    if path is None:
        click.echo(text, nl=False)
    else:
        _write(path, text)


def _write(path: Path, text: str) -> None:
    """Write a report to a file and print its name; to a pipe goes nothing but the report."""
    from tinyprune.storage.records import write_text
    from tinyprune.storage.writing import is_stream

    is_named = not is_stream(path)
    write_text(path, text)
    if is_named:
        click.echo(path)
