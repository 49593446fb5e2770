"""Examples of classes, and which of them are held out."""

import logging
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyprune.array_types import BoolArray, Float32Array
from tinyprune.data.examples import CALIBRATION_EXAMPLES, ExampleDataset, features
from tinyprune.errors import UsageError

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class LabelledDataset(ExampleDataset):
    """Splits of a classification task; a label is a place in ``classes``."""

    task: ClassVar[str] = "classification"

    def calibration(self) -> Float32Array:
        """Return features (about 256, *shape) of training examples as they are.

        There are as many of each class, as far as it has so many.
        """
        train = self.split("train")
        rng = np.random.default_rng([self.seed, 2])
        share = max(1, CALIBRATION_EXAMPLES // len(self.classes))
        rows_by_class = []
        for label in range(len(self.classes)):
            rows = rng.permutation(np.flatnonzero(train.labels == label))
            rows_by_class.append(rows[:share])
        rows = rng.permutation(np.concatenate(rows_by_class))
        return features(self.frontend, train.inputs[rows])


def check_classes(classes: tuple[str, ...], location: object) -> None:
    """Raise UsageError unless there are two classes to tell apart."""
    if len(classes) < 2:
        content = f"only the class '{classes[0]}'" if classes else "no class"
        raise UsageError(f"{location} holds {content}: a classification task needs at least two")


def hold_out_examples(
    labels: np.ndarray, fraction: float, seed: int, groups: np.ndarray | None = None
) -> BoolArray:
    """Return truth values (n,) of the examples that are kept apart for dev.

    Complete groups (speakers), if that leaves every class in training; otherwise the fraction of
    each class, at least one of those that have two. Raises UsageError where that leaves nothing for
    dev.

    Args:
        labels: classes (n,), of any type. groups: of each example, (n,).
        fraction: of the groups, or of each class. seed: decides which.
    """
    rng = np.random.default_rng([seed, 3])
    if groups is not None and len(set(groups.tolist())) > 1:
        distinct = np.unique(groups)
        count = max(1, round(fraction * len(distinct)))
        held = np.isin(groups, rng.permutation(distinct)[:count])
        if set(labels[~held].tolist()) == set(labels.tolist()):
            return held
        log.warning(
            "dev holds speakers of training: to keep them apart, every class needs more speakers"
        )

    held = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = min(max(1, round(fraction * len(rows))), len(rows) - 1)
        held[rng.permutation(rows)[:count]] = True
    if not held.any():
        raise UsageError(
            "one example per class cannot be split into training and dev: "
            "add some, or a folder dev/"
        )
    return held
