"""``tinyprune prune``."""

from pathlib import Path
from typing import Any

import click

from tinyprune.cli import differentiable, options, output
from tinyprune.cli.chain import chain


@click.command()
@options.run_folder
@click.option(
    "--method",
    metavar="NAME",
    help="magnitude, or differentiable: to a budget.  [default: magnitude]",
)
@click.option(
    "--structure",
    metavar="NAME",
    help="Which weights share one fate: weight, block, unit, or n:m as in 2:4.",
)
@click.option("--block-size", metavar="RxC", help="Inputs x outputs of a block.  [default: 16x16]")
@click.option(
    "--sparsity",
    "sparsities",
    type=options.FRACTIONS,
    multiple=True,
    metavar="FRACTION[,...]",
    help="Final fraction of zeros, e.g. 0.8; several are a ladder, with a variant per level.",
)
@click.option(
    "--then",
    multiple=True,
    metavar="NAME",
    help="Prune the result again, by this structure, to the next --sparsity.",
)
@click.option(
    "--importance",
    metavar="NAME",
    help="What groups are ranked by, see `tinyprune list importances`.",
)
@click.option(
    "--scope", metavar="NAME", help="global: rank all kernels together; layer: each on its own."
)
@click.option(
    "--exclude", multiple=True, metavar="PATTERN", help="Layers that stay dense, e.g. 'block_1_*'."
)
@click.option(
    "--round-to",
    type=options.COUNT,
    metavar="N",
    help="Units that are left are a multiple of this.",
)
@click.option(
    "--schedule", metavar="NAME", help="How sparsity grows, see `tinyprune list schedules`."
)
@click.option(
    "--begin",
    type=options.MOMENT,
    metavar="X",
    help="When it begins: up to 1 a fraction, else steps.",
)
@click.option(
    "--end",
    type=options.MOMENT,
    metavar="X",
    help="When it is done: up to 1 a fraction, else steps.",
)
@options.limits
@options.one_target
@options.epochs
@options.learning_rate
@click.option(
    "--distill/--no-distill",
    default=None,
    help="Learn from the float32 baseline too.  [default: distill]",
)
@click.option(
    "--from", "base", metavar="VARIANT", help="Variant to start from.  [default: baseline]"
)
@options.name
@options.seed
@click.option(
    "--offline",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="MODEL.tflite",
    help="Prune this int8 file as it is, without training: the control.",
)
@click.option(
    "--clusters",
    type=options.NUMBER,
    metavar="N",
    help="With --offline: leave a kernel at most N values, e.g. 16, for less flash.",
)
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="PATH",
    help="For it.",
)
@click.option(
    "--show-plan", is_flag=True, help="Print what would be pruned, layer by layer, and stop."
)
@options.output_format
def prune(
    run: Path,
    sparsities: tuple[tuple[float, ...], ...],
    then: tuple[str, ...],
    offline: Path | None,
    path: Path | None,
    show_plan: bool,
    output_format: str,
    **flags: Any,
) -> None:
    """Prune the baseline and learn int8 weights, in one run.

    With --method differentiable, what the device has says how much goes: --max-flash, --max-sram
    and --max-macs, and with --npu also --max-cycles and --max-latency. The training finds out which
    units to keep.

    The variant is exported as int8 TFLite; its sparsity is measured there, layer by layer. With
    --offline nothing is
    trained: a graph of the run becomes a variant beside the others, any other file a new file.
    """
    given = differentiable.values(flags, sparsities, then, offline=offline is not None)
    configs = chain(given, sparsities, then, offline=offline is not None)
    if offline is None and path is not None:
        raise click.UsageError(
            "--output goes with --offline; variants are written into the run folder"
        )
    if offline is not None and show_plan:
        raise click.UsageError(
            "--show-plan goes with training: --offline prints what it has pruned"
        )
    from tinyprune.stages.offline import prune_offline
    from tinyprune.stages.prune import plan_pruning, prune_variants

    if show_plan and configs[0].is_differentiable:
        differentiable.plan(plan_pruning(run, configs[0]), configs[0], output_format)
    elif show_plan:
        output.plan(plan_pruning(run, configs[0]), output_format)
        if len(configs) > 1:
            more = len(configs) - 1
            click.echo(
                f"plan of {configs[0].variant}; that of the {more} after it follows from its result",
                err=True,
            )
    elif offline is None:
        output.qualities(prune_variants(run, configs), output_format)
    else:
        output.offline(prune_offline(run, offline, configs[0], path), output_format)
