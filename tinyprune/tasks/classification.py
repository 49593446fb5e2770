"""The task of telling classes apart: keywords, images.

What needs TensorFlow is imported where it is used: the facts of the task are read without it.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.audio.device_mfcc import DeviceMfcc, device_mfcc
from tinyprune.audio.mfcc import MfccFrontEnd
from tinyprune.config import BALANCED, TrainConfig
from tinyprune.data.labelled import LabelledDataset
from tinyprune.errors import UsageError
from tinyprune.metrics.classification import probabilities
from tinyprune.metrics.examples import CLASSES
from tinyprune.metrics.scores import ItemScore, Scores
from tinyprune.progress import track
from tinyprune.tasks.shapes import network_of
from tinyprune.tasks.task import Form, Forward, Task

if TYPE_CHECKING:
    import keras

    from tinyprune.training.classify import Classify

BATCH = 128


class Classification(Task):
    """Classification: an input of any shape becomes a score for each class."""

    name = "classification"
    metric = "accuracy"
    default_metrics = ("accuracy", "auc")
    checked_metrics = ("accuracy", "auc")
    losses = ("cross-entropy", "focal")
    forms = (Form("int8"),)
    default_epochs = 60
    learning_rate = 4e-3
    prune_epochs = 40
    prune_learning_rate = 1e-2
    has_class_weights = True

    def __init__(self, dataset: LabelledDataset) -> None:
        """``dataset``: examples with labels, and their front end."""
        self.dataset = dataset
        self.frontend = dataset.frontend
        self.classes = dataset.classes
        self.input_shape = dataset.frontend.shape
        self.output_shape = (len(dataset.classes),)
        if len(dataset.classes) == 2:
            self.compact_output_shape = (1,)
        self.default_model = network_of(self.input_shape)
        # Of few examples, two that lie on a border are more than a fiftieth.
        self.tolerance = max(0.02, 2 / len(dataset.split("dev")))

    @classmethod
    def create(
        cls, dataset: LabelledDataset, config: TrainConfig, frontend: Path | None = None
    ) -> Self:
        """Create the task; the data set has its front end."""
        del config, frontend
        return cls(dataset)

    @classmethod
    def for_model_file(
        cls, dataset: LabelledDataset, path: Path, frontend: Path | None = None
    ) -> Self:
        """Create the task of the data set: every file has its front end and its classes."""
        del path, frontend
        return cls(dataset)

    def learner(
        self, config: TrainConfig, seed: int, teacher: "keras.Model | None" = None
    ) -> "Classify":
        """Return training examples and the accuracy on dev."""
        from tinyprune.training.classify import Classify, ClassLoss

        loss = ClassLoss(self.loss_of(config), self._class_weights(config.class_weights))
        return Classify(self.dataset, config.batch_size, seed, teacher, loss)

    def _class_weights(self, text: str | None) -> tuple[float, ...]:
        """Return the weight of each class, of mean 1 over training examples; empty: all 1.

        "balanced" is the number of examples over that of each class. Raises UsageError for another
        number of weights than of classes.
        """
        if text is None:
            return ()
        labels = self.dataset.split("train").labels
        counts = np.bincount(labels, minlength=len(self.classes))
        if text == BALANCED:
            weights = 1 / np.maximum(counts, 1)
        else:
            weights = np.array([float(part) for part in text.split(",")])
        if len(weights) != len(self.classes):
            raise UsageError(
                f"train.class_weights: {len(weights)} weights for {len(self.classes)} classes: "
                f"expected one each, in the order {', '.join(self.classes)}"
            )
        mean = np.sum(weights * counts) / len(labels)
        return tuple((weights / mean).tolist())

    def calibration(self) -> Float32Array:
        """Return features (n, ...) of training examples of all classes."""
        return self.dataset.calibration()

    def scores(
        self, forward: Forward, form: str, split: str, metrics: Sequence[str], model: str = ""
    ) -> Scores:
        """Score each example: does its class have the highest score?

        ``forward`` is from inputs (batch, ...) to scores (batch, classes), or (batch, 1) of two
        classes. AUC is a figure of the whole split.
        """
        inputs, labels = self.dataset.examples(split)
        batches = -(-len(inputs) // BATCH)
        starts = track(range(0, len(inputs), BATCH), f"{model}: scoring {form}", batches)
        outputs = [forward(inputs[start : start + BATCH]) for start in starts]
        scores = probabilities(np.concatenate(outputs))
        values, whole = CLASSES.score(labels, scores, metrics)

        names = self.dataset.split(split).names or tuple(map(str, range(len(labels))))
        items = []
        for name, label, metric_values in zip(names, labels, values, strict=True):
            items.append(ItemScore(name, "", self.classes[label], None, metric_values))
        return Scores(model, form, split, tuple(metrics), tuple(items), whole)

    def chance(self) -> float:
        """Return the accuracy of the largest class alone, and two standard deviations above it."""
        labels = self.dataset.split("dev").labels
        share = float(np.bincount(labels).max() / len(labels))
        return share + 2 * math.sqrt(share * (1 - share) / len(labels))

    def device_front_end(self, artifact: TFLiteArtifact) -> DeviceMfcc | None:
        """Return the front end of keywords. Images have none: frontend.json normalises them."""
        if isinstance(self.frontend, MfccFrontEnd):
            return device_mfcc(self.frontend, artifact)
        return None
