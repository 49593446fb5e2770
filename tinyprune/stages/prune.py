"""Prunings of a run, each jointly with int8 learning, and their plans."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tinyprune.artifacts.budget import BudgetLine
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.config import (
    BudgetPruning,
    MagnitudePruning,
    OfflinePruning,
    PruneConfig,
    TargetConfig,
    TrainedPruning,
)
from tinyprune.errors import UsageError
from tinyprune.npu import limits, targets
from tinyprune.npu.batch import compile_batch
from tinyprune.registry import TASKS
from tinyprune.sparsity.block import DEFAULT_BLOCK
from tinyprune.sparsity.plan import PruningPlan
from tinyprune.sparsity.structure import parse
from tinyprune.stages.compile import compilation_job
from tinyprune.stages.export import Qualities, ensure_exported, named
from tinyprune.stages.run import Run, open_run, read_run
from tinyprune.storage.run_folder import BEST, Variant

if TYPE_CHECKING:
    from tinyprune.training.fit import Watch

log = logging.getLogger(__name__)


def prune_variants(
    run: Path | Run,
    configs: Sequence[TrainedPruning],
    target: TargetConfig | None = None,
    force: bool = False,
) -> Qualities:
    """Prune jointly with int8 learning and export, one pruning after the other.

    Args:
        run: the run, with its baseline.
        configs: prunings; each may start from the variant of one before.
        target: accelerator that forms of layers are chosen for where a pruning names none; None:
            the default one.
        force: also prune a network that has learned nothing.

    Returns the quality of every form of each variant on dev, as (variant, quality) pairs.

    Raises:
        UsageError: a pruning makes no sense, or its variant is there with another configuration.
        CheckFailed: a network has learned nothing, a budget is not kept, or an int8 graph is too
            far from the trained network.
    """
    check_trained_prunings(configs)
    with open_run(run) as opened:
        _require_bases(opened, configs)
        if not force:
            _check_bases(opened, configs)
        variants = [prune_variant(opened, config, target) for config in configs]
        qualities: Qualities = []
        for variant in variants:
            qualities += named(variant, ensure_exported(opened, variant))
        return qualities


def plan_pruning(run: Path | Run, config: TrainedPruning) -> PruningPlan:
    """Return what :func:`prune_variants` would do, layer by layer, without training.

    LSTM layers are compiled for that, where the pruning chooses the cheaper form of each, and
    kernels with blocks, dense and lowered. Ranks of layers and the limits of what LSTM layers read
    are found in the data, which are loaded for them.
    """
    check_trained_prunings([config])
    opened = read_run(run)
    base = opened.require_network(config.base)

    from tinyprune.compress.fold import fold
    from tinyprune.compress.mask_updater import load_masks
    from tinyprune.stages.block_costs import with_block_costs
    from tinyprune.stages.network_plan import Planner

    canonical = fold(opened.load_network(base))
    planner = Planner(
        config=config,
        target=targets.resolve_config(config.target or TargetConfig()),
        frames=1 if opened.record.hop_seconds else None,
        calibration=lambda: opened.task.calibration(),
        masks=load_masks(base.folder),
    )
    return with_block_costs(canonical, planner.plan(canonical), planner.target)


def costs_before(run: Path | Run, config: BudgetPruning) -> list[BudgetLine]:
    """Return what the network takes of each limit before it is pruned; nothing of an accelerator.

    Weights, feature maps and multiply-accumulates are counted; what Vela makes of them is known
    when it has compiled them.
    """
    if config.target is not None:
        return []
    opened = read_run(run)
    base = opened.require_network(config.base)

    from tinyprune.budget.limits import ModelledLimits
    from tinyprune.compress.coupling import coupling
    from tinyprune.compress.fold import fold
    from tinyprune.compress.shapes import network_shape

    canonical = fold(opened.load_network(base))
    frames = 1 if opened.record.hop_seconds else None
    shape = network_shape(canonical, coupling(canonical), frames)
    limited = limits.budget_limits(config.budget.resolved())
    lines = []
    values = ModelledLimits(limited, shape).values(shape.whole).tolist()
    for limit, now in zip(limited, values, strict=True):
        lines.append(BudgetLine(limit.name, limit.most, before=now, expected=now))
    return lines


def prune_variant(
    run: Run,
    config: TrainedPruning,
    target: TargetConfig | None = None,
    watch: "Watch | None" = None,
) -> Variant:
    """Prune a variant of an opened run into a new one and export it.

    Args:
        run: the run.
        config: the pruning.
        target: as of :func:`prune_variants`.
        watch: is told of every epoch.
    """
    base = run.require_network(config.base)
    variant = run.space.variant(config.variant)
    config = config.settled(variant.claimed_as("prune"))
    if config.quick:
        config = config.with_epochs(TASKS[run.record.name].prune_epochs)
    claim = {"prune": config, "base_sha256": base.output_sha256("train", "model.keras")}
    levels = _levels_of(config)
    if levels is not None and levels.trained_in:
        claim["trained_in_sha256"] = _trained_at_once(run, levels, levels.trained_in)
    with variant.claimed(claim):
        if variant.is_done("train"):
            log.info("%s: pruned already, in %s", variant.name, variant.folder)
        else:
            variant.finish("train", {}, _train(run, base, config, variant.folder, target, watch))
    ensure_exported(run, variant)
    if isinstance(config, BudgetPruning) and config.target:
        _hold_to_budget(run, variant, targets.resolve_config(config.target))
    return variant


def _levels_of(config: TrainedPruning) -> MagnitudePruning | None:
    """Return a pruning that is one of several levels of a training; None for any other."""
    return config if isinstance(config, MagnitudePruning) and config.levels else None


def _trained_at_once(run: Run, config: MagnitudePruning, name: str) -> str:
    """Return the digest of the training that a level was a part of.

    ``name``: of the variant whose training it is. Raises UsageError where it is not there, or was
    of other levels.
    """
    host = run.space.variant(name)
    learned = host.configuration().get("prune", {}).get("levels") if host.is_done("train") else None
    if learned != [*config.levels]:
        levels = ",".join(f"{level:g}" for level in config.levels)
        raise UsageError(
            f"variant '{name}' has not learned the levels {levels} at once: "
            "prune it with them first"
        )
    return host.output_sha256("train", BEST)


def check_trained_prunings(configs: Sequence[PruneConfig]) -> None:
    """Raise UsageError, before anything is loaded, for prunings that cannot be trained."""
    for config in configs:
        if isinstance(config, OfflinePruning):
            raise UsageError(
                "an offline pruning is not trained: it goes with --offline FILE.tflite"
            )
        if isinstance(config, TrainedPruning):
            _check_structures(config)
        if isinstance(config, TrainedPruning) and config.target is not None:
            targets.resolve_config(config.target)


def check_bases(configs: Sequence[PruneConfig], finished: Sequence[str]) -> None:
    """Raise UsageError, before anything is trained, for a base that will not be there.

    ``finished``: names of the variants that are there already, the baseline first.
    """
    known = [*finished]
    later = [config.variant for config in configs]
    for config in configs:
        if config.base not in known:
            made = "does not exist"
            if config.base in later:
                made = "is made after it"
            raise UsageError(
                f"variant '{config.variant}' starts from '{config.base}', which {made}: "
                f"expected one of: {', '.join(known)}"
            )
        known.append(config.variant)


def _require_bases(run: Run, configs: Sequence[TrainedPruning]) -> None:
    """Raise UsageError, before anything is trained, for a base that no pruning before makes."""
    made: set[str] = set()
    for config in configs:
        if config.base not in made:
            run.require_network(config.base)
        made.add(config.variant)


def _check_bases(run: Run, configs: Sequence[TrainedPruning]) -> None:
    """Check networks that prunings which are not begun start from, and that are there already.

    Raises CheckFailed for one that has learned nothing.
    """
    bases = {}
    for config in configs:
        base = run.space.variant(config.base)
        is_new = run.space.variant(config.variant).claimed_as("prune") is None
        if is_new and base.is_done("train"):
            bases[base.name] = base
    for base in bases.values():
        from tinyprune.stages.collapse import check_learned

        check_learned(base.name, run.load_network(base), run.task)


def _check_structures(config: TrainedPruning) -> None:
    """Raise UsageError for a structure, of the pruning or of a rule, that does not exist."""
    groups = config.grouping
    size = groups.block_size or DEFAULT_BLOCK
    parse(groups.structure, size)
    for rule in config.layers:
        parse(rule.structure or groups.structure, rule.block_size or size)


def _train(
    run: Run,
    base: Variant,
    config: TrainedPruning,
    folder: Path,
    default: TargetConfig | None,
    watch: "Watch | None",
) -> list[str]:
    """Train a pruning in a folder. Returns the files it made.

    ``default``: accelerator of a pruning that names none. ``watch``: is told of every epoch.
    """
    from tinyprune.compress.mask_updater import load_masks
    from tinyprune.stages.budget_pruning import prune_to_budget
    from tinyprune.stages.magnitude_pruning import prune_at_once, prune_by_magnitude
    from tinyprune.stages.pruning_job import PruningJob

    job = PruningJob(
        base=run.load_network(base),
        baseline=run.load_network(run.baseline),
        task=run.task,
        train=run.recipe.train,
        config=config,
        folder=folder,
        target=targets.resolve_config(config.target or default or TargetConfig()),
        masks=load_masks(base.folder),
        watch=watch,
    )
    levels = _levels_of(config)
    if levels is not None:
        return prune_at_once(job, levels)
    if not isinstance(config, BudgetPruning):
        return prune_by_magnitude(job)
    if not all(mask.all() for mask in job.masks.values()):
        raise UsageError(
            f"variant '{base.name}' has pruned weights, which a differentiable pruning would bring "
            "back: start --from one without, and prune its weights afterwards"
        )
    target = targets.resolve_config(config.target) if config.target else None
    return prune_to_budget(job, config.budget.resolved(), target)


def _hold_to_budget(run: Run, variant: Variant, target: NpuTarget) -> None:
    """Compile a variant and hold it to its budget.

    Raises CheckFailed that says how near it came.
    """
    [compiled] = compile_batch([compilation_job(run, variant, target)])
    limits.hold_to_budget(variant.folder, compiled.report)
