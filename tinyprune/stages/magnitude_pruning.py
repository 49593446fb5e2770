"""Pruning by magnitude: masks follow a schedule while int8 weights are learned."""

from collections.abc import Mapping

import numpy as np

from tinyprune.compress.coupling import coupling
from tinyprune.compress.mask_updater import MASKS, MaskUpdater, kept_units, read_masks
from tinyprune.compress.prepare import batches, calibrate, prepare, strip
from tinyprune.compress.remove import remove, remove_masks
from tinyprune.sparsity.importance import FROM_GRADIENTS
from tinyprune.stages.pruning_job import PruningJob
from tinyprune.stages.saving import save_network
from tinyprune.storage.records import write_json
from tinyprune.storage.writing import write_arrays
from tinyprune.training.compression import Masking
from tinyprune.training.fit import Fit


def prune_by_magnitude(job: PruningJob, inherited: Mapping[str, np.ndarray]) -> list[str]:
    """Prepare, train, strip, remove: masks and int8 grids act together from the first step.

    ``inherited``: masks that the base has, by kernel. Returns the names of the files it made.
    """
    canonical, pruning = job.plan()
    units = coupling(canonical) if pruning.removes_units else None
    salient = job.config.importance in FROM_GRADIENTS
    prepared = prepare(canonical, salient=salient, normalised=True)
    calibrate(prepared, batches(job.task.calibration(), prepared))

    learner = job.learner()
    steps = job.epochs * learner.steps_per_epoch()
    updater = MaskUpdater(prepared, pruning, steps, units, inherited)
    fit = Fit(prepared, learner, job.epochs, job.learning_rate, job.folder, Masking(updater))
    fit.run(job.config.variant)

    model = strip(prepared, canonical)
    masks = read_masks(prepared)
    if units is not None:
        keep = kept_units(units, masks)
        model = remove(model, units, keep)
        masks = remove_masks(masks, units, keep)
    write_json(job.folder / "plan.json", pruning)
    write_arrays(job.folder / MASKS, {key: mask.astype(bool) for key, mask in masks.items()})
    return [*save_network(model, job.folder), "history.csv", "plan.json", MASKS]
