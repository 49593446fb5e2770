"""``tinyprune sensitivity``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyprune import extras
from tinyprune.cli import options, output
from tinyprune.cli.values import FILE, FRACTIONS
from tinyprune.errors import UsageError

if TYPE_CHECKING:
    from tinyprune.artifacts.sensitivity import Sensitivity


@click.command()
@click.argument("variant", required=False)
@options.run_folder
@click.option(
    "--structure",
    "structures",
    multiple=True,
    metavar="NAME",
    help="Structure that each layer is pruned by: weight, block, unit, or n:m as in 2:4. May be "
    "repeated.  [default: weight, block and unit]",
)
@click.option(
    "--sparsity",
    "levels",
    type=FRACTIONS,
    metavar="FRACTION[,...]",
    help="Fractions of each layer that are pruned.  [default: 0.5,0.7,0.9]",
)
@click.option("--block-size", metavar="RxC", help="Size of a block.  [default: 16x16]")
@click.option(
    "--importance",
    metavar="NAME",
    help="Importance: what a group is ranked by, see `tinyprune list importances`.  "
    "[default: lamp]",
)
@click.option(
    "--picture", type=FILE, metavar="FILE", help="Picture of it, FILE.png, FILE.svg or FILE.pdf."
)
@options.deterministic
@options.output_format
def sensitivity(
    variant: str | None,
    run: Path,
    structures: tuple[str, ...],
    levels: tuple[float, ...] | None,
    block_size: str | None,
    importance: str | None,
    picture: Path | None,
    output_format: str,
) -> None:
    """Show what pruning one layer alone costs in the metric, layer by layer.

    VARIANT, by default the baseline, is pruned one layer at a time, with the int8 grids of the
    finished network, and learns nothing: what is shown is worse than what a training makes of it,
    but it says which layers are worth most. What is measured is kept in the run folder, so the same
    command goes on where it was interrupted.
    """
    from tinyprune.report.render import sensitivity as rendering

    if picture is not None and picture.suffix.lower() not in rendering.PICTURES:
        raise UsageError(f"--picture {picture}: expected FILE.png, FILE.svg or FILE.pdf")
    extras.require_training("tinyprune sensitivity")
    from tinyprune.stages.sensitivity import SensitivityRequest, measure_sensitivity

    default = SensitivityRequest()
    request = SensitivityRequest(
        structures=structures or default.structures,
        levels=levels or default.levels,
        block_size=block_size or default.block_size,
        importance=importance,
    )
    record = measure_sensitivity(run, variant, request)
    if picture is not None:
        rendering.draw(record, picture)
    _print(record, output_format)


def _print(record: "Sensitivity", output_format: str) -> None:
    """Print what was measured."""
    from tinyprune.report.render import sensitivity as rendering

    if output_format == "json":
        output.as_json(record)
    elif output_format == "csv":
        click.echo(rendering.as_csv(record))
    else:
        click.echo(rendering.as_table(record))
