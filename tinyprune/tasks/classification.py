"""The task of telling classes apart: keywords, images.

What needs TensorFlow is imported where it is used: the facts of the task are read without it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.audio.device_mfcc import DeviceMfcc, device_mfcc
from tinyprune.audio.mfcc import MfccFrontEnd
from tinyprune.config import BALANCED, TrainConfig
from tinyprune.data.labelled import LabelledDataset
from tinyprune.errors import UsageError
from tinyprune.metrics.classification import probabilities
from tinyprune.metrics.examples import CLASSES
from tinyprune.tasks.examples import ExampleTask

if TYPE_CHECKING:
    import keras

    from tinyprune.training.classify import ClassCriterion, Classify


#: The most that a network without knowledge may be above its mean for dev to tell.
WIDEST_CHANCE = 0.1


class Classification(ExampleTask):
    """Classification: an input of any shape becomes a score for each class."""

    name = "classification"
    metric = "accuracy"
    default_metrics = ("accuracy", "auc")
    checked_metrics = ("accuracy", "auc")
    losses = ("cross-entropy", "focal")
    activation = None
    measures = CLASSES
    has_class_weights = True

    dataset: LabelledDataset

    def __init__(self, dataset: LabelledDataset) -> None:
        """``dataset``: examples with labels, and their front end."""
        super().__init__(dataset)
        self.output_shape = (len(dataset.classes),)
        if len(dataset.classes) == 2:
            self.compact_output_shape = (1,)
        # Of few examples, two that lie on a border are more than a fiftieth.
        self.tolerance = max(0.02, 2 / len(dataset.split("dev")))

    def learner(
        self, config: TrainConfig, seed: int, teacher: "keras.Model | None" = None
    ) -> "Classify":
        """Return training examples and the accuracy on dev."""
        from tinyprune.training.classify import Classify

        criterion = self.criterion(config)
        return Classify(self.dataset, config.batch_size, seed, teacher, criterion.of_classes)

    def criterion(self, config: TrainConfig) -> "ClassCriterion":
        """Return the loss that a configuration asks for, with its weights of classes."""
        from tinyprune.training.classify import ClassCriterion, ClassLoss

        weights = self._class_weights(config.class_weights)
        return ClassCriterion(ClassLoss(self.loss_of(config), weights))

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

    def readable(self, values: np.ndarray) -> np.ndarray:
        """Return outputs (n, classes), or (n, 1) of two classes, as chances (n, classes)."""
        return probabilities(values)

    def readable_targets(self, targets: np.ndarray) -> np.ndarray:
        """Return labels (n,) as they are."""
        return targets

    def categories(self, targets: np.ndarray) -> Sequence[str]:
        """Return the class of each label (n,)."""
        return [self.classes[label] for label in targets]

    def chance(self) -> float:
        """Return the accuracy of the largest class alone, and two standard deviations above it."""
        labels = self.dataset.split("dev").labels
        share = float(np.bincount(labels).max() / len(labels))
        return share + 2 * math.sqrt(share * (1 - share) / len(labels))

    def can_tell_chance(self) -> bool:
        """Return whether two standard deviations of the accuracy by chance are a tenth at most."""
        labels = self.dataset.split("dev").labels
        share = float(np.bincount(labels).max() / len(labels))
        return self.chance() - share <= WIDEST_CHANCE

    def shows_nothing(self, metrics: Mapping[str, float]) -> bool:
        """Return whether accuracy and AUC are both at chance.

        The accuracy of a useful network is that of the largest class where the others are rare. The
        AUC of numbers without meaning has the mean 0.5 and, of m examples of one class and n of the
        others, the variance (m + n + 1) / (12 m n) (Hanley and McNeil 1982).
        """
        counts = np.bincount(self.dataset.split("dev").labels)
        rarest = int(counts[counts > 0].min())
        others = int(counts.sum()) - rarest
        deviation = math.sqrt((rarest + others + 1) / (12 * rarest * max(1, others)))
        is_random = metrics.get("auc", 0.5) <= 0.5 + 2 * deviation
        return is_random and super().shows_nothing(metrics)

    def device_front_end(self, artifact: TFLiteArtifact) -> DeviceMfcc | None:
        """Return the front end of keywords. Images have none: frontend.json normalises them."""
        if isinstance(self.frontend, MfccFrontEnd):
            return device_mfcc(self.frontend, artifact)
        return None
