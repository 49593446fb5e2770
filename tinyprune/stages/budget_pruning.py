"""Pruning to a budget: gates close while the network trains, then it learns int8."""

import logging

import keras

from tinyprune.artifacts.resources import NpuTarget
from tinyprune.budget.training import BudgetCompression, BudgetSettings
from tinyprune.budget.vela_loop import VelaLoop
from tinyprune.compress.coupling import coupling
from tinyprune.compress.prepare import batches, strip
from tinyprune.config.budget import Budget
from tinyprune.errors import UsageError
from tinyprune.npu.limits import RECORD, budget_limits
from tinyprune.sparsity.unit_sets import removable
from tinyprune.stages.collapse import check_not_destroyed
from tinyprune.stages.pruning_job import PLAN, PruningJob
from tinyprune.stages.saving import save_network
from tinyprune.storage.digests import write_sealed
from tinyprune.training.fit import Fit, Learner

log = logging.getLogger(__name__)
LEAST_EPOCHS = 2
GATE_SHARE = 0.4  # of the epochs; the others learn int8
MEASUREMENTS = 4  # by Vela, of the epochs that learn int8


def prune_to_budget(job: PruningJob, budget: Budget, target: NpuTarget | None) -> list[str]:
    """Gates, removal while training, then int8: units go until the budget is kept.

    ``target``: the accelerator whose costs ``budget`` limits; None: the network's own costs.

    Returns the names of the files it made. Raises UsageError for a budget that cannot be met,
    CheckFailed for one that is not.
    """
    canonical, pruning = job.plan()
    if job.epochs < LEAST_EPOCHS:
        raise UsageError(
            f"epochs: expected {LEAST_EPOCHS} or more, for gates and then for int8, "
            f"got {job.epochs}"
        )
    learner = job.learner()
    keys = [layer.key for layer in pruning.layers]
    settings = _settings(job, budget, learner, removable(coupling(canonical), keys))
    vela = None
    if target:
        vela = VelaLoop(target, settings.frames, job.task.calibration(), job.folder / "vela-loop")
    try:
        compression = BudgetCompression(canonical, settings, vela)
        if compression.is_met:
            log.info(
                "%s: %s: the budget is kept already, nothing is removed",
                job.config.variant,
                compression.note(),
            )
        fit = Fit(
            compression.prepared,
            learner,
            job.epochs,
            job.learning_rate,
            job.folder,
            compression,
            job.watch,
        )
        fit.run(job.config.variant)
    finally:
        if vela:
            vela.close()

    model = strip(fit.model, compression.template)
    check_not_destroyed(job, learner, model, fit.best_score)
    write_sealed(job.folder / RECORD, compression.record())
    outputs = [*save_network(model, job.folder)]
    outputs += ["history.csv", PLAN]
    if target is None:
        outputs.append(RECORD)  # else what Vela says of the export is still to be added to it
    return outputs


def _settings(
    job: PruningJob, budget: Budget, learner: Learner, sets: tuple[str, ...]
) -> BudgetSettings:
    gate_epochs = max(1, round(GATE_SHARE * job.epochs))

    def batches_of(model: keras.Model) -> list:
        return batches(job.task.calibration(), model)

    return BudgetSettings(
        limits=budget_limits(budget),
        round_to=job.config.round_to,
        removable=sets,
        gate_epochs=gate_epochs,
        measure_every=max(1, (job.epochs - gate_epochs) // MEASUREMENTS),
        steps_per_epoch=learner.steps_per_epoch(),
        batch_size=job.train.batch_size,
        frames=job.task.forms[0].frames,
        calibration_batches=batches_of,
    )
