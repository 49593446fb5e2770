"""One pruning that is trained, and what both ways of doing it begin with."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from tinyprune.artifacts.resources import NpuTarget
from tinyprune.compress.dead_channels import describe_dead_channels
from tinyprune.compress.fold import fold
from tinyprune.compress.prepare import prepare
from tinyprune.config import TrainConfig, TrainedPruning
from tinyprune.sparsity.plan import PruningPlan
from tinyprune.stages.cell_choice import log_choices
from tinyprune.stages.convertible import check_convertible
from tinyprune.stages.network_plan import Planner
from tinyprune.storage.records import read_json, write_json
from tinyprune.tasks.task import Task
from tinyprune.training.fit import Learner, Watch

log = logging.getLogger(__name__)
#: Written before the training: a resumed one has the same blocks, ranks and forms of LSTM layers.
PLAN = "plan.json"


@dataclass(frozen=True)
class PruningJob:
    """A pruning, jointly with int8 learning.

    Attributes:
        base: the network that is pruned.
        baseline: the float32 network, which teaches if ``config.distill``.
        task: the task of both.
        train: the training of the baseline.
        config: structure, sparsity or budget, schedule.
        folder: of the new variant.
        target: the accelerator that forms and ranks of layers are chosen for.
        masks: ``layer/kernel`` -> mask that the base has.
        watch: is told of every epoch.
    """

    base: keras.Model
    baseline: keras.Model
    task: Task
    train: TrainConfig
    config: TrainedPruning
    folder: Path
    target: NpuTarget
    masks: Mapping[str, np.ndarray]
    watch: Watch | None = None

    @property
    def epochs(self) -> int:
        """Epochs of the pruning."""
        return self.config.epochs or self.task.prune_epochs

    @property
    def learning_rate(self) -> float:
        """Peak of the learning rate."""
        return self.config.learning_rate or self.task.prune_learning_rate

    def plan(self) -> tuple[keras.Model, PruningPlan]:
        """Set the seed. Return the network in canonical form and the plan of its pruning.

        The plan is written into the folder.

        Raises UsageError for a network that cannot be fully int8.
        """
        keras.utils.set_random_seed(self.config.seed)
        canonical = fold(self.base)
        dead = describe_dead_channels(canonical)
        if dead:
            log.info(
                "%s: outputs without weights, only a bias: %s; --structure unit removes them first",
                self.config.variant,
                dead,
            )
        planner = Planner(
            config=self.config,
            target=self.target,
            frames=self.task.forms[0].frames,
            calibration=self.task.calibration,
            masks=self.masks,
        )
        pruning = self._plan(canonical, planner)
        network = planner.planned(canonical, pruning)
        check_convertible(network, self.task)
        return network, pruning

    def _plan(self, canonical: keras.Model, planner: Planner) -> PruningPlan:
        """Return the plan that the variant was begun with, if it was, else a new one."""
        path = self.folder / PLAN
        if path.exists():
            return read_json(path, PruningPlan)
        pruning = planner.plan(canonical)
        for item in pruning.factors:
            log.info("%s: %s: %s", self.config.variant, item.key, item.sentence)
        log_choices(self.config.variant, pruning.cells)
        write_json(path, pruning)
        return pruning

    def learner(self) -> Learner:
        """Return what is learned: also from the float32 baseline if the pruning distills."""
        teacher = None
        if self.config.distill:
            teacher = prepare(fold(self.baseline), masked=False, quantized=False)
        return self.task.learner(self.train, self.config.seed, teacher)
