"""``tinyprune export``."""

from pathlib import Path

import click

from tinyprune.cli import options, output


@click.command()
@click.argument("variant", required=False)
@options.run_folder
@options.output_format
def export(variant: str | None, run: Path, output_format: str) -> None:
    """Export VARIANT, or the baseline, as int8 TFLite.

    `tinyprune prune` exports its variant already. This command exports the baseline, or a variant
    whose files are gone.
    """
    from tinyprune.stages.export import export_variant

    output.qualities(export_variant(run, variant), output_format)
