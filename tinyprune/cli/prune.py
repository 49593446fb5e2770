"""``tinyprune prune``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tinyprune import extras
from tinyprune.cli import budget_plan, options, output
from tinyprune.cli.prunings import offline_pruning, prunings
from tinyprune.cli.settings import own_fields, settings
from tinyprune.cli.values import FILE
from tinyprune.config import BudgetPruning, MagnitudePruning, OfflinePruning, PruneConfig
from tinyprune.config.pruning import RankedPruning, TrainedPruning


@click.command()
@options.run_folder
@click.option(
    "--method",
    metavar="NAME",
    help="Method that groups are chosen by: magnitude, or differentiable, which prunes to a "
    "budget.  [default: magnitude]",
)
@settings(own_fields(RankedPruning))
@click.option(
    "--then",
    multiple=True,
    metavar="NAME",
    help="Structure by which the result is pruned again, to the next --sparsity.",
)
@settings(own_fields(MagnitudePruning))
@click.option(
    "--at-once",
    is_flag=True,
    help="Learn all levels of a ladder of --sparsity in one training, with shared weights.",
)
@options.limits
@options.target_of_pruning
@settings(own_fields(TrainedPruning))
@settings(own_fields(PruneConfig))
@click.option(
    "--offline",
    type=FILE,
    metavar="MODEL.tflite",
    help="Int8 file that is pruned as it is, without training: the control.",
)
@settings(own_fields(OfflinePruning))
@options.output_file("With --offline: file that the result is written to.", "PATH")
@click.option(
    "--data",
    type=FILE,
    metavar="FILE",
    help="With --offline: inputs of the file, .npy or .npz, labels too, that the result is "
    "compared with the original on.  [default: noise]",
)
@click.option(
    "--show-plan", is_flag=True, help="Print the plan of the pruning, layer by layer, and stop."
)
@options.force
@options.deterministic
@options.log_to
@options.output_format
def prune(
    run: Path,
    sparsity: tuple[tuple[float, ...], ...],
    then: tuple[str, ...],
    at_once: bool,
    offline: Path | None,
    path: Path | None,
    data: Path | None,
    show_plan: bool,
    force: bool,
    log: Callable[[Path], None],
    output_format: str,
    **flags: Any,
) -> None:
    """Prune the baseline and learn int8 weights, in one run.

    With --method differentiable, the budget of the device decides how much is removed: --max-flash,
    --max-sram and --max-macs, and with --npu also --max-cycles and --max-latency. The training
    finds out which units stay.

    The variant is exported as int8 TFLite. Its sparsity is measured there, layer by layer.

    With --offline nothing is trained. A graph of the run becomes a variant beside the others, any
    other file a new file.
    """
    if offline is not None:
        if at_once:
            raise click.UsageError("--at-once goes with training: --offline prunes without it")
        if show_plan:
            raise click.UsageError(
                "--show-plan goes with training: --offline prints what it has pruned"
            )
        control = offline_pruning(flags, sparsity, then)
        _prune_offline(run, offline, control, path, data, output_format)
        return
    configs = prunings(flags, sparsity, then, at_once)
    if path is not None:
        raise click.UsageError(
            "--output goes with --offline; variants are written into the run folder"
        )
    if data is not None:
        raise click.UsageError("--data goes with --offline; variants are scored on the run's data")
    extras.require_training("tinyprune prune")
    if show_plan:
        _show_plan(run, configs, output_format)
    else:
        _prune(run, configs, force, output_format)
        log(run)


def _prune(run: Path, configs: list[TrainedPruning], force: bool, output_format: str) -> None:
    """Prune with training, one after the other, and print what each variant can do."""
    from tinyprune.stages.prune import prune_variants

    output.qualities(prune_variants(run, configs, force=force), output_format)


def _prune_offline(
    run: Path,
    graph: Path,
    config: OfflinePruning,
    path: Path | None,
    data: Path | None,
    output_format: str,
) -> None:
    """Prune a graph without training, and print what came of it."""
    from tinyprune.stages.offline import prune_offline

    output.offline(prune_offline(run, graph, config, path, data), output_format)


def _show_plan(run: Path, configs: list[TrainedPruning], output_format: str) -> None:
    """Print the plan of the first pruning; each of the others has its own."""
    from tinyprune.stages.prune import costs_before, plan_pruning

    first, *others = configs
    plan = plan_pruning(run, first)
    if isinstance(first, BudgetPruning):
        budget_plan.show(plan, first, costs_before(run, first), output_format)
        return
    output.plan(plan, output_format)
    if others:
        line = f"the {len(others)} after it have plans of their own"
        click.echo(f"plan of {first.variant}; {line}", err=True)
