"""One pruning that is trained, and what both ways of doing it begin with."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import keras

from tinyprune.artifacts.resources import NpuTarget
from tinyprune.compress.dead_channels import describe_dead_channels
from tinyprune.compress.fold import fold
from tinyprune.compress.planning import plan
from tinyprune.compress.prepare import prepare
from tinyprune.compress.recurrent_forms import with_forms
from tinyprune.config import TrainConfig, TrainedPruning
from tinyprune.config.pruning import FUSED
from tinyprune.npu.blocks import block_size
from tinyprune.sparsity.plan import PruningPlan
from tinyprune.stages.cell_choice import choose_cells, log_choices
from tinyprune.stages.convertible import check_convertible
from tinyprune.storage.records import read_json, write_json
from tinyprune.tasks.task import Task
from tinyprune.training.fit import Learner, Watch

log = logging.getLogger(__name__)
#: Written before the training: a resumed one has the same blocks and forms of LSTM layers.
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
        target: the accelerator that forms of layers are chosen for.
        watch: is told of every epoch.
    """

    base: keras.Model
    baseline: keras.Model
    task: Task
    train: TrainConfig
    config: TrainedPruning
    folder: Path
    target: NpuTarget
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
        pruning = self._plan(canonical)
        canonical = with_forms(canonical, {cell.layer: cell.form for cell in pruning.cells})
        check_convertible(canonical, self.task)
        return canonical, pruning

    def _plan(self, canonical: keras.Model) -> PruningPlan:
        """Return the plan that the variant was begun with, if it was, else a new one."""
        path = self.folder / PLAN
        if path.exists():
            return read_json(path, PruningPlan)
        pruning = plan(canonical, self.config, block_size(self.target))
        form = self.config.cell or FUSED
        cells = choose_cells(canonical, pruning, form, self.target, self.task.forms[0].frames)
        log_choices(self.config.variant, cells)
        pruning = replace(pruning, cells=cells)
        write_json(path, pruning)
        return pruning

    def learner(self) -> Learner:
        """Return what is learned: also from the float32 baseline if the pruning distills."""
        teacher = None
        if self.config.distill:
            teacher = prepare(fold(self.baseline), masked=False, quantized=False)
        return self.task.learner(self.train, self.config.seed, teacher)
