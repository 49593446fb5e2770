"""``tinyprune report``."""

from pathlib import Path

import click

from tinyprune.cli import options
from tinyprune.report.render.formats import FORMATS


@click.command()
@click.argument("variants", nargs=-1, metavar="[VARIANT]...")
@options.run_folder
@click.option("--operators", is_flag=True, help="Of VARIANT: Vela's operators instead of layers.")
@options.report_format
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help=f"Write it to a file.  [default of html: {FORMATS['html'].file_name} in the run folder]",
)
def report(
    variants: tuple[str, ...], run: Path, operators: bool, output_format: str, path: Path | None
) -> None:
    """Show what a run has: quality, sizes, cycles, advice; of VARIANT, layer by layer.

    Nothing is trained or compiled for it: of a run that is not finished it shows what is there. The
        HTML page is one
    file with pictures; JSON has everything, with the SHA-256 of every file and the command that
    made it.
    """
    if operators and not variants:
        raise click.UsageError("--operators goes with VARIANT")
    if variants and output_format != "table":
        raise click.UsageError(
            f"VARIANT goes with --format table: {output_format} has all variants"
        )
    from tinyprune.report.render import formats, run_tables, terminal
    from tinyprune.stages.report import report_run
    from tinyprune.storage.records import write_text

    record = report_run(run)
    if output_format == "table":
        if variants:
            shown = run_tables.format_variants(record, variants, operators)
        else:
            shown = run_tables.format_report(record)
        if path is None:
            terminal.show(shown)
            return
        text = terminal.to_text(shown)
    else:
        text = formats.to_format(record, run, output_format)
        file_name = FORMATS[output_format].file_name
        if path is None and file_name:
            path = run / file_name
    if path is None:
        click.echo(text, nl=False)
    else:
        write_text(path, text)
        click.echo(path)
