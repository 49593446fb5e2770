"""Pruning by magnitude: masks follow a schedule while int8 weights are learned."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from tinyprune.compress.mask_updater import MASKS
from tinyprune.config import MagnitudePruning
from tinyprune.sparsity.plan import PruningPlan
from tinyprune.stages.collapse import check_not_destroyed
from tinyprune.stages.pruning_job import PLAN, PruningJob
from tinyprune.stages.saving import save_network
from tinyprune.storage.records import read_json, write_json, write_text
from tinyprune.storage.run_folder import BEST, HISTORY
from tinyprune.storage.writing import write_arrays
from tinyprune.training.at_once import LearnerAtOnce, LevelsAtOnce
from tinyprune.training.compression import ScheduledMasks
from tinyprune.training.fit import Fit, Learner
from tinyprune.training.masked_network import MaskedNetwork


def prune_by_magnitude(job: PruningJob) -> list[str]:
    """Prepare, train, strip, remove: masks and int8 grids act together from the first step.

    Returns the names of the files it made.
    """
    canonical, plan = job.plan()
    network = MaskedNetwork(canonical, plan, job.task.calibration())
    learner = job.learner()
    steps = job.epochs * learner.steps_per_epoch()
    masks = _masks(network, steps, _inherited(job, plan), plan)
    fit = Fit(
        network.prepared, learner, job.epochs, job.learning_rate, job.folder, masks, job.watch
    )
    fit.run(job.config.variant)

    return [*_finish(job, learner, network, fit.best_score), HISTORY]


def prune_at_once(job: PruningJob, config: MagnitudePruning) -> list[str]:
    """Train all levels in one network, or take the network of a training that did; finish a level.

    Returns the names of the files it made. Raises TinypruneError where the training is not there.
    """
    if config.trained_in is None:
        trained = _AtOnce(job, config, job.folder)
        trained.fit.run(config.variant)
        return [*trained.finish(), BEST]
    host = job.folder.parent / config.trained_in
    of_host = read_json(host / PLAN, PruningPlan)
    write_json(job.folder / PLAN, of_host.at(config.final_sparsity))
    write_text(job.folder / HISTORY, (host / HISTORY).read_text(encoding="utf-8"))
    level = _AtOnce(job, config, host)
    level.fit.load_best()
    return level.finish()


class _AtOnce:
    """One level of several that share a training.

    Attributes:
        fit: the training of them all.
    """

    def __init__(self, job: PruningJob, config: MagnitudePruning, host: Path) -> None:
        """``host``: the folder that the training is in."""
        self._job = job
        self._index = config.levels.index(config.final_sparsity)
        canonical, plan = job.plan()
        self._network = MaskedNetwork(canonical, plan, job.task.calibration())
        self._learner = job.learner()
        steps = job.epochs * self._learner.steps_per_epoch() // len(config.levels)
        of_level = partial(_masks, self._network, steps, _inherited(job, plan))
        makers = [partial(of_level, plan.at(level)) for level in config.levels]
        self._levels = LevelsAtOnce(self._network.prepared, makers)
        self.fit = Fit(
            self._network.prepared,
            LearnerAtOnce(self._learner, self._levels),
            job.epochs,
            job.learning_rate,
            host,
            self._levels,
            job.watch,
        )

    def finish(self) -> list[str]:
        """Write the network of the level. Returns the names of its files."""
        self._levels.switch(self._index)
        score = self._learner.score(self._network.prepared)
        return [*_finish(self._job, self._learner, self._network, score), HISTORY]


def _inherited(job: PruningJob, plan: PruningPlan) -> dict[str, np.ndarray]:
    """Return the masks that the base has, but for kernels that become two."""
    replaced = {item.key for item in plan.factors}
    return {key: mask for key, mask in job.masks.items() if key not in replaced}


def _masks(
    network: MaskedNetwork, steps: int, inherited: Mapping[str, np.ndarray], plan: PruningPlan
) -> ScheduledMasks:
    """Return what moves the masks of a plan in a training of ``steps`` steps."""
    updater = network.updater(steps, inherited, plan)
    return ScheduledMasks(updater, network.check, network.palettes)


def _finish(job: PruningJob, learner: Learner, network: MaskedNetwork, score: float) -> list[str]:
    """Write the plain network with its masks. Returns the names of the files.

    ``score``: of the trained network on dev. Raises CheckFailed where it is destroyed.
    """
    pruned = network.finish()
    check_not_destroyed(job, learner, pruned.model, score)
    kept = {key: mask.astype(bool) for key, mask in pruned.masks.items()}
    write_arrays(job.folder / MASKS, kept)
    return [*save_network(pruned.model, job.folder), PLAN, MASKS]
