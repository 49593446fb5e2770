"""One pruning that is trained, and what both ways of doing it begin with."""

import logging
from dataclasses import dataclass
from pathlib import Path

import keras

from tinyprune.compress.dead_channels import describe_dead_channels
from tinyprune.compress.fold import fold
from tinyprune.compress.planning import plan
from tinyprune.compress.prepare import prepare
from tinyprune.compress.recurrent_forms import with_form
from tinyprune.config import TrainConfig, TrainedPruning
from tinyprune.sparsity.plan import PruningPlan
from tinyprune.stages.convertible import check_convertible
from tinyprune.tasks.task import Task
from tinyprune.training.fit import Learner

log = logging.getLogger(__name__)


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
    """

    base: keras.Model
    baseline: keras.Model
    task: Task
    train: TrainConfig
    config: TrainedPruning
    folder: Path

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

        Raises UsageError for a network that cannot be fully int8.
        """
        keras.utils.set_random_seed(self.config.seed)
        canonical = with_form(fold(self.base), self.config.cell)
        dead = describe_dead_channels(canonical)
        if dead:
            log.info(
                "%s: outputs without weights, only a bias: %s; --structure unit removes them first",
                self.config.variant,
                dead,
            )
        pruning = plan(canonical, self.config)
        check_convertible(canonical, self.task)
        return canonical, pruning

    def learner(self) -> Learner:
        """Return what is learned: also from the float32 baseline if the pruning distills."""
        teacher = None
        if self.config.distill:
            teacher = prepare(fold(self.baseline), masked=False, quantized=False)
        return self.task.learner(self.train, self.config.seed, teacher)
