"""Pruning by magnitude: masks follow a schedule while int8 weights are learned."""

from tinyprune.compress.mask_updater import MASKS
from tinyprune.stages.collapse import check_not_destroyed
from tinyprune.stages.pruning_job import PLAN, PruningJob
from tinyprune.stages.saving import save_network
from tinyprune.storage.writing import write_arrays
from tinyprune.training.compression import ScheduledMasks
from tinyprune.training.fit import Fit
from tinyprune.training.masked_network import MaskedNetwork


def prune_by_magnitude(job: PruningJob) -> list[str]:
    """Prepare, train, strip, remove: masks and int8 grids act together from the first step.

    Returns the names of the files it made.
    """
    canonical, plan = job.plan()
    network = MaskedNetwork(canonical, plan, job.task.calibration())
    learner = job.learner()
    steps = job.epochs * learner.steps_per_epoch()
    replaced = {item.key for item in plan.factors}
    inherited = {key: mask for key, mask in job.masks.items() if key not in replaced}
    masks = ScheduledMasks(network.updater(steps, inherited), network.check, network.palettes)
    fit = Fit(
        network.prepared, learner, job.epochs, job.learning_rate, job.folder, masks, job.watch
    )
    fit.run(job.config.variant)

    pruned = network.finish()
    check_not_destroyed(job, learner, pruned.model, fit.best_score)
    kept = {key: mask.astype(bool) for key, mask in pruned.masks.items()}
    write_arrays(job.folder / MASKS, kept)
    return [*save_network(pruned.model, job.folder), "history.csv", PLAN, MASKS]
