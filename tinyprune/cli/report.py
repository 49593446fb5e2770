"""``tinyprune report``."""

from pathlib import Path

import click

from tinyprune.cli import options

REPORT = "report.html"


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
    help=f"Write it to a file.  [default of html: {REPORT} in the run folder]",
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
    from tinyprune.report.render import formats, terminal
    from tinyprune.stages.report import report_run
    from tinyprune.storage.records import write_text

    record = report_run(run)
    path = run / REPORT if path is None and output_format == "html" else path
    if output_format == "table":
        shown = (
            formats.format_variants(record, variants, operators)
            if variants
            else formats.format_report(record)
        )
        text = terminal.to_text(shown) if path else ""
    else:
        text = formats.to_format(record, run, output_format)
    if path is not None:
        write_text(path, text)
        click.echo(path)
    elif output_format == "table":
        terminal.show(shown)
    else:
        click.echo(text, nl=False)
