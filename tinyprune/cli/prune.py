"""``tinyprune prune``."""

from pathlib import Path
from typing import Any

import click

from tinyprune.cli import options, output
from tinyprune.config import PruneConfig, build


@click.command()
@options.run_folder
@click.option("--structure", metavar="NAME", help="Which weights share one fate, see `tinyprune list structures`.")
@click.option("--sparsity", type=options.FRACTION, metavar="FRACTION", help="Final fraction of zeros, e.g. 0.8.")
@click.option("--schedule", metavar="NAME", help="How sparsity grows, see `tinyprune list schedules`.")
@click.option("--scope", metavar="NAME", help="global: rank all kernels together; layer: each on its own.")
@options.epochs
@options.learning_rate
@click.option("--distill/--no-distill", default=None, help="Learn from the float32 baseline too.  [default: distill]")
@options.name
@options.seed
@click.option("--show-plan", is_flag=True, help="Print what would be pruned, layer by layer, and stop.")
@options.output_format
def prune(run: Path, show_plan: bool, output_format: str, **flags: Any) -> None:
    """Prune the baseline and learn int8 weights, in one run.

    The variant is exported as int8 TFLite; its sparsity is measured there, layer by layer.
    """
    config = build(PruneConfig, {flag: value for flag, value in flags.items() if value is not None})
    from tinyprune import pipeline

    if show_plan:
        output.plan(pipeline.show_plan(run, config), output_format)
    else:
        output.qualities(pipeline.prune(run, config), output_format)
