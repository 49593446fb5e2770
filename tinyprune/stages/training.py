"""The two trainings of a run: the float32 baseline, and its pruning jointly with int8 learning."""

import logging
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from tinyprune.artifacts.plan import PruningPlan
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.budget.training import Ask, Gating
from tinyprune.budget.vela_loop import VelaLoop
from tinyprune.compress.coupling import coupling
from tinyprune.compress.fold import fold
from tinyprune.compress.mask_updater import MASKS, MaskUpdater, kept_units, read_masks
from tinyprune.compress.planning import plan
from tinyprune.compress.prepare import batches, calibrate, prepare, strip
from tinyprune.compress.remove import remove, remove_masks
from tinyprune.config import PruneConfig, TrainConfig
from tinyprune.errors import UsageError
from tinyprune.npu.limits import RECORD, limits_of
from tinyprune.sparsity.importance import FROM_GRADIENTS
from tinyprune.sparsity.unit_sets import removable
from tinyprune.stages.convertible import check_convertible
from tinyprune.stages.export import FRAMES
from tinyprune.storage.records import write_json
from tinyprune.storage.writing import write_arrays, writing
from tinyprune.tasks.task import Task
from tinyprune.training.compression import Masking
from tinyprune.training.fit import Fit, Learner
from tinyprune.units import format_metric

log = logging.getLogger(__name__)
LEAST_EPOCHS = 2
GATED = 0.4  # of the epochs of a differentiable pruning; the others learn int8


def train_baseline(model: keras.Model, task: Task, config: TrainConfig, folder: Path) -> list[str]:
    """Train a network in float32, or continue where it was interrupted; 0 epochs keep it. Returns the files it made."""
    prepared = prepare(
        model, masked=False, quantized=False
    )  # first: it refuses what would crash the converter
    check_convertible(fold(model), task)
    learner, metric = task.learner(config, config.seed), task.record.metric
    if config.epochs:
        assert config.learning_rate, "it is resolved before a training"
        fit = Fit(prepared, learner, config.epochs, config.learning_rate, folder)
        fit.run("baseline")
        model, score = strip(prepared, model), fit.best
    else:
        score = learner.score(model)
    noisy = task.unprocessed("dev")
    beside = (
        f", {_number(metric, noisy.metrics[metric])} in the noisy input"
        if noisy and noisy.metrics
        else ""
    )
    log.info("baseline: dev %s%s; in %s", format_metric(metric, score or 0.0), beside, folder)
    write_json(folder / "frontend.json", task.frontend)
    write_json(folder / "task.json", task.record)
    return [
        *_save(model, folder),
        *(["history.csv"] if config.epochs else []),
        "frontend.json",
        "task.json",
    ]


def prune(
    base: keras.Model,
    baseline: keras.Model,
    task: Task,
    train: TrainConfig,
    config: PruneConfig,
    folder: Path,
    inherited: Mapping[str, np.ndarray],
) -> list[str]:
    """prepare -> train -> strip -> remove: masks and int8 grids act together from the first step.

    Args:
        base: what is pruned. baseline: the float32 network, which teaches if ``config.distill``.
        task: what it is for. train: how the baseline was trained. config: what is wanted.
        folder: of the variant. inherited: masks that the base has.

    Returns the files it made.
    """
    canonical, pruning = _begun(base, task, config)
    units = (
        coupling(canonical) if any(item.structure == "unit" for item in pruning.layers) else None
    )
    salient = config.importance in FROM_GRADIENTS
    prepared = prepare(canonical, salient=salient, normalised=True)
    calibrate(prepared, batches(task.calibration(), prepared))
    learner = _learner(baseline, task, train, config)
    epochs = config.epochs or task.prune_epochs
    updater = MaskUpdater(prepared, pruning, epochs * learner.steps_per_epoch(), units, inherited)
    rate = config.learning_rate or task.prune_learning_rate
    fit = Fit(prepared, learner, epochs, rate, folder, Masking(updater))
    fit.run(config.variant)
    model, masks = strip(prepared, canonical), read_masks(prepared)
    if units is not None:
        keep = kept_units(units, masks)
        model, masks = remove(model, units, keep), remove_masks(masks, units, keep)
    write_json(folder / "plan.json", pruning)
    write_arrays(folder / MASKS, {key: mask.astype(bool) for key, mask in masks.items()})
    return [*_save(model, folder), "history.csv", "plan.json", MASKS]


def prune_to_budget(
    base: keras.Model,
    baseline: keras.Model,
    task: Task,
    train: TrainConfig,
    config: PruneConfig,
    folder: Path,
    target: NpuTarget | None,
) -> list[str]:
    """Gates -> removal while training -> int8: units go until the budget is kept (budget/training.py).

    Arguments as of :func:`prune`; ``target``: whose costs the budget limits, None for the network's
    own. Returns the files it made. Raises UsageError for a budget that cannot be met, CheckFailed
    for one that is not.
    """
    canonical, pruning = _begun(base, task, config)
    epochs = config.epochs or task.prune_epochs
    if epochs < LEAST_EPOCHS:
        raise UsageError(
            f"epochs: expected {LEAST_EPOCHS} or more, for gates and then for int8, got {epochs}"
        )
    learner, frames = _learner(baseline, task, train, config), FRAMES.get(task.record.forms[0])
    ask = Ask(
        limits=limits_of(config.budget.resolved()),
        step=config.round_to,
        removable=removable(coupling(canonical), [item.key for item in pruning.layers]),
        gate_epochs=(gate_epochs := max(1, round(GATED * epochs))),
        measure_every=max(1, (epochs - gate_epochs) // 4),
        steps_per_epoch=learner.steps_per_epoch(),
        batch_size=train.batch_size,
        frames=frames,
        batches=lambda model: batches(task.calibration(), model),
    )
    vela = VelaLoop(target, frames, task.calibration(), folder / "vela-loop") if target else None
    try:
        course = Gating(canonical, ask, vela)
        if course.is_met:
            log.info(
                "%s: %s: the budget is kept already, nothing is removed",
                config.variant,
                course.note(),
            )
        fit = Fit(
            course.prepared,
            learner,
            epochs,
            config.learning_rate or task.prune_learning_rate,
            folder,
            course,
        )
        fit.run(config.variant)
    finally:
        if vela:
            vela.close()
    write_json(folder / "plan.json", pruning)
    write_json(folder / RECORD, course.record())
    made = [*_save(strip(fit.model, course.template), folder), "history.csv", "plan.json"]
    return (
        made if target else [*made, RECORD]
    )  # with a target, what Vela says of the export is still to be added


def _begun(base: keras.Model, task: Task, config: PruneConfig) -> tuple[keras.Model, PruningPlan]:
    """The network in canonical form and the plan of its pruning, with the seed set and what cannot be int8 refused."""
    keras.utils.set_random_seed(config.seed)
    canonical = fold(base)
    pruning = plan(canonical, config)
    check_convertible(canonical, task)
    return canonical, pruning


def _learner(baseline: keras.Model, task: Task, train: TrainConfig, config: PruneConfig) -> Learner:
    """What is learned, from the float32 baseline too if the pruning distills."""
    teacher = prepare(fold(baseline), masked=False, quantized=False) if config.distill else None
    return task.learner(train, config.seed, teacher)


def _number(metric: str, value: float) -> str:
    """A metric without its name."""
    return format_metric(metric, value).partition(" ")[2]


def _save(model: keras.Model, folder: Path) -> list[str]:
    """The plain model and its number of parameters."""
    with writing(folder / "model.keras") as part:
        model.save(part)
    write_json(folder / "size.json", model.count_params())
    return ["model.keras", "size.json"]
