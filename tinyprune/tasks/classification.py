"""The task of telling classes apart: keywords, images."""

from collections.abc import Sequence

import keras
import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.artifacts.quality import Quality, TaskRecord
from tinyprune.config import TrainConfig
from tinyprune.data.labelled import LabelledDataset
from tinyprune.export.forward import Forward
from tinyprune.metrics.classification import score_examples
from tinyprune.metrics.scores import ItemScore, Scores, quality
from tinyprune.metrics.selection import CHECKED
from tinyprune.progress import track
from tinyprune.training.classify import Classify, probabilities

BATCH = 128


class Classification:
    """Classification; see :class:`tinyprune.tasks.task.Task`. Attributes: dataset."""

    default_epochs = 60
    learning_rate = 4e-3
    prune_epochs = 40
    prune_learning_rate = 1e-2

    def __init__(self, dataset: LabelledDataset) -> None:
        self.dataset, self.frontend = dataset, dataset.frontend
        self.inputs: tuple[int | None, ...] = dataset.frontend.shape
        self.outputs = len(dataset.classes)
        self.default_model = "resnet8" if self.inputs[-1] == 3 else "ds_cnn"
        # Of few examples, two that lie on a border are more than a fiftieth.
        self.tolerance = max(0.02, 2 / len(dataset.split("dev")))
        self.record = TaskRecord("classification", "accuracy", ("int8",), None, dataset.classes)

    def learner(
        self, config: TrainConfig, seed: int, teacher: keras.Model | None = None
    ) -> Classify:
        """Training examples and the accuracy on dev."""
        return Classify(self.dataset, config.batch_size, seed, teacher)

    def calibration(self) -> Float32Array:
        """Features (n, ...) of training examples of all classes."""
        return self.dataset.calibration()

    def scores(
        self, forward: Forward, form: str, split: str, metrics: Sequence[str], model: str = ""
    ) -> Scores:
        """Of each example whether its class has the highest score, by a function (batch, ...) -> (batch, classes).

        AUC is a figure of the whole split.
        """
        inputs, labels = self.dataset.examples(split)
        starts = track(
            range(0, len(inputs), BATCH), f"{model}: scoring {form}", -(-len(inputs) // BATCH)
        )
        outputs = probabilities(
            np.concatenate([forward(inputs[start : start + BATCH]) for start in starts])
        )
        found, whole = score_examples(labels, outputs)
        names = self.dataset.split(split).names or tuple(map(str, range(len(labels))))
        items = tuple(
            ItemScore(name, "", self.dataset.classes[label], None, values)
            for name, label, values in zip(names, labels, found, strict=True)
        )
        return Scores(
            model,
            form,
            split,
            tuple(metrics),
            items,
            {n: v for n, v in whole.items() if n in metrics},
        )

    def unprocessed_scores(self, split: str, metrics: Sequence[str]) -> None:
        """Nothing: an input alone has no class."""

    def quality(self, forward: Forward, form: str, split: str, model: str = "") -> Quality:
        """Accuracy and AUC of a function from inputs (batch, ...) to scores (batch, classes) on a split."""
        return quality(self.scores(forward, form, split, CHECKED["classification"], model))

    def unprocessed(self, split: str) -> None:
        """Nothing: an input alone has no class."""
