"""Examples with labels and the front end that makes a network's input of them: training batches and fixed sets."""

import dataclasses
import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.data.splits import split_of
from tinyprune.errors import UsageError

log = logging.getLogger(__name__)
CALIBRATION_EXAMPLES = 256
_CHUNK = 256  # examples whose features are computed at once
Augment = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True, eq=False)
class Examples:
    """Raw examples and what they are.

    Attributes:
        inputs: raw values (n, ...): uint8 images, int16 clips (n, 16000), or float features; may be
            memory-mapped.
        labels: number of the class of each, int64 (n,).
        names: of each, where it has one; empty otherwise.
        sha256: of the inputs, where whoever made them knows it; empty: it is computed when it is
            needed.
    """

    inputs: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...] = ()
    sha256: str = ""

    def __len__(self) -> int:
        return len(self.labels)

    def digest(self) -> str:
        """Changes when an input or a label does."""
        content = self.sha256 or _sha256(self.inputs)
        return hashlib.sha256(f"{content}:{_sha256(self.labels)}".encode()).hexdigest()

    def only(self, keep: np.ndarray) -> "Examples":
        """The examples at the given places: numbers (m,) or truth values (n,)."""
        rows = np.arange(len(self))[keep]
        return Examples(
            self.inputs[rows],
            self.labels[rows],
            tuple(self.names[i] for i in rows) if self.names else (),
        )


class FrontEnd(Protocol):
    """What turns raw examples into the input of the network: a frozen dataclass of JSON types, saved beside the model.

    Attributes:
        shape: shape of the input of the network, without the batch, e.g. (49, 10, 1).
        mean, std: statistics of the training examples that normalise the features.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the features of one example."""

    @property
    def mean(self) -> tuple[float, ...]:
        """What is taken off the features."""

    @property
    def std(self) -> tuple[float, ...]:
        """What the features are divided by."""

    def features(self, raw: np.ndarray) -> Float32Array:
        """Features (n, *shape) of raw examples (n, ...)."""


@dataclass(frozen=True, eq=False)
class LabelledDataset:
    """Splits of a classification task.

    Attributes:
        splits: "train", "dev" and, where there is one, "test".
        classes: name of each class; a label is a place in it.
        frontend: makes features of raw examples.
        seed: of the order of the examples, of their variations and of the calibration set.
        augment: ``(raw batch, rng) -> raw batch``, varies training examples; None: they stay as
            they are.
    """

    splits: dict[str, Examples]
    classes: tuple[str, ...]
    frontend: FrontEnd
    seed: int
    augment: Augment | None = None

    def split(self, name: str) -> Examples:
        """A split by name. Raises UsageError if this dataset has none of that name."""
        return split_of(
            self.splits, name, f"add a folder {name}/, or x_{name} and y_{name} to an .npz"
        )

    def fingerprint(self) -> str:
        """Changes when any example of training or dev, a class or a setting of the front end does."""
        settings = {
            field.name: getattr(self.frontend, field.name)
            for field in dataclasses.fields(cast(Any, self.frontend))
            if field.name
            not in ("mean", "std")  # they follow from the training examples, to the last bit or not
        }
        hashes = [
            f"{name}:{len(part)}:{part.digest()}"
            for name, part in self.splits.items()
            if name != "test"
        ]
        return "|".join(
            [*hashes, ",".join(self.classes), json.dumps(settings, sort_keys=True), str(self.seed)]
        )

    def batches_per_epoch(self, batch_size: int) -> int:
        """Number of batches of one epoch; the examples of a last short one wait for the next epoch's order."""
        return max(1, len(self.split("train")) // batch_size)

    def batches(
        self, epoch: int, batch_size: int, seed: int = 0
    ) -> Iterator[tuple[Float32Array, np.ndarray]]:
        """Training batches of an epoch: features (batch_size, *shape), labels (batch_size,); the same for a seed.

        Where there are fewer examples than ``batch_size``, they are one smaller batch.
        """
        train, rng = self.split("train"), np.random.default_rng([self.seed, 1, seed, epoch])
        order = rng.permutation(len(train))
        for number in range(self.batches_per_epoch(batch_size)):
            rows = order[number * batch_size : (number + 1) * batch_size]
            raw = train.inputs[rows]
            varied = raw if self.augment is None else self.augment(raw, rng)
            yield self.frontend.features(varied), train.labels[rows]

    def examples(self, split: str) -> tuple[Float32Array, np.ndarray]:
        """All of a split as it is: features (n, *shape), labels (n,)."""
        part = self.split(split)
        return features(self.frontend, part.inputs), part.labels

    def calibration(self) -> Float32Array:
        """Features (about 256, *shape) of training examples as they are, as many of each class as there may be."""
        train, rng = self.split("train"), np.random.default_rng([self.seed, 2])
        share = max(1, CALIBRATION_EXAMPLES // len(self.classes))
        picked = [
            rng.permutation(np.flatnonzero(train.labels == label))[:share]
            for label in range(len(self.classes))
        ]
        return features(self.frontend, train.inputs[rng.permutation(np.concatenate(picked))])


def features(frontend: FrontEnd, inputs: np.ndarray) -> Float32Array:
    """Features (n, *shape) of raw examples (n, ...), some at a time: what is in between does not grow with n."""
    made = np.empty((len(inputs), *frontend.shape), np.float32)
    for start in range(0, len(inputs), _CHUNK):
        made[start : start + _CHUNK] = frontend.features(inputs[start : start + _CHUNK])
    return made


def check_classes(classes: tuple[str, ...], where: object) -> None:
    """Raise UsageError unless there are two classes to tell apart."""
    if len(classes) < 2:
        found = f"only the class '{classes[0]}'" if classes else "no class"
        raise UsageError(f"{where} holds {found}: a classification task needs at least two")


def hold_out_examples(
    labels: np.ndarray, fraction: float, seed: int, groups: np.ndarray | None = None
) -> np.ndarray:
    """Which examples are kept apart for dev: truth values (n,).

    Whole groups (speakers), if that leaves every class in training; otherwise the fraction of each
    class, at least one of those that have two. Raises UsageError where that leaves nothing for dev.

    Args:
        labels: classes (n,), of any type. groups: of each example, (n,).
        fraction: of the groups, or of each class. seed: decides which.
    """
    rng = np.random.default_rng([seed, 3])
    if groups is not None and len(names := np.unique(groups)) > 1:
        held = np.isin(groups, rng.permutation(names)[: max(1, round(fraction * len(names)))])
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
            "one example per class cannot be split into training and dev: add some, or a folder dev/"
        )
    return held


def _sha256(array: np.ndarray) -> str:
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    for start in range(0, len(array), 4096):
        digest.update(np.ascontiguousarray(array[start : start + 4096]).tobytes())
    return digest.hexdigest()
