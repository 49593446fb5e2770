"""The common part of tasks on examples: a metric of each example or of all.

What needs TensorFlow is imported where it is used: the facts of a task are read without it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.config import TrainConfig
from tinyprune.data.examples import ExampleDataset
from tinyprune.metrics.examples import Measures
from tinyprune.metrics.scores import ItemScore, Scores
from tinyprune.named_arrays import Shapes
from tinyprune.progress import track
from tinyprune.registry import LOSSES
from tinyprune.tasks.shapes import network_of
from tinyprune.tasks.task import Form, Forward, Shape, Task

if TYPE_CHECKING:
    import keras

    from tinyprune.training.criteria import Criterion
    from tinyprune.training.endings import Ending
    from tinyprune.training.fit import Learner

BATCH = 128


class ExampleTask(Task):
    """A task on examples.

    Attributes:
        measures: its metrics.
    """

    forms = (Form("int8"),)
    default_epochs = 60
    learning_rate = 4e-3
    prune_epochs = 40
    prune_learning_rate = 1e-2
    activation: str | None = "linear"

    measures: Measures

    def __init__(self, dataset: ExampleDataset) -> None:
        """``dataset``: examples with targets, and their front end."""
        self.dataset = dataset
        self.frontend = dataset.frontend
        self.classes = dataset.classes
        self.input_shape: Shape | Shapes = dataset.frontend.shape
        self.default_model = network_of(self.input_shape)

    @classmethod
    def create(cls, dataset: Any, config: TrainConfig, frontend: Path | None = None) -> Self:
        """Create the task; the data set has its front end."""
        del config, frontend
        return cls(dataset)

    @classmethod
    def for_model_file(
        cls, dataset: ExampleDataset, path: Path, frontend: Path | None = None
    ) -> Self:
        """Create the task of the data set: every file has its front end."""
        del path, frontend
        return cls(dataset)

    def learner(
        self, config: TrainConfig, seed: int, teacher: "keras.Model | None" = None
    ) -> "Learner":
        """Return training examples and the metric on dev."""
        from tinyprune.training.examples import Aim, LearnExamples

        aim = Aim(self.learned_metric, self._score)
        criterion = self.criterion(config)
        return LearnExamples(self.dataset, aim, criterion, config.batch_size, seed, teacher)

    def criterion(self, config: TrainConfig) -> "Criterion":
        """Return the loss that a configuration asks for. Raises UsageError for none of the task."""
        from tinyprune.training.criteria import DistanceCriterion

        loss = LOSSES[self.loss_of(config)]
        return DistanceCriterion(loss, loss, self.loss_activation)

    def calibration(self) -> Float32Array:
        """Return features (n, ...) of training examples."""
        return self.dataset.calibration()

    @property
    def learned_metric(self) -> str:
        """Metric that chooses the best epoch."""
        return self.metric

    @property
    def loss_activation(self) -> "Ending | None":
        """Activation that outputs have to have before the loss; None: any."""
        return None

    def readable(self, values: np.ndarray) -> np.ndarray:
        """Return outputs or targets (n, ...) of a network as metrics take them."""
        return values

    def readable_targets(self, targets: np.ndarray) -> np.ndarray:
        """Return targets (n, ...) as metrics take them."""
        return self.readable(targets)

    def categories(self, targets: np.ndarray) -> Sequence[str]:
        """Return the category of each example, (n,); "" where there is none."""
        return [""] * len(targets)

    def scores(
        self, forward: Forward, form: str, split: str, metrics: Sequence[str], model: str = ""
    ) -> Scores:
        """Score each example, and all of a split together.

        ``forward`` is from inputs (batch, ...) to outputs (batch, ...).
        """
        inputs, targets = self.dataset.examples(split)
        batches = -(-len(inputs) // BATCH)
        title = f"{model}: scoring {form}".removeprefix(": ")
        starts = track(range(0, len(inputs), BATCH), title, batches)
        outputs = np.concatenate([forward(inputs[start : start + BATCH]) for start in starts])
        values, whole = self.measures.score(
            self.readable_targets(targets), self.readable(outputs), metrics
        )

        names = self.dataset.split(split).names or tuple(map(str, range(len(targets))))
        items = []
        for name, category, found in zip(names, self.categories(targets), values, strict=True):
            items.append(ItemScore(name, "", category, None, found))
        return Scores(model, form, split, tuple(metrics), tuple(items), whole)

    def _score(self, targets: np.ndarray, outputs: np.ndarray) -> float:
        """Return the metric that chooses the best epoch."""
        metric = self.learned_metric
        return self.measures.value(metric, self.readable_targets(targets), self.readable(outputs))
