"""Examples with what a network should say of them: training batches, and fixed sets of them."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, cast

import numpy as np

from tinyprune import named_arrays
from tinyprune.array_types import Float32Array
from tinyprune.data.splits import split_of
from tinyprune.named_arrays import Shapes

CALIBRATION_EXAMPLES = 256
_CHUNK = 256  # examples whose features are computed at once
#: Settings of a front end that follow from the training examples, to the last bit or not.
_MEASURED = ("mean", "std", "output_mean", "output_std")
#: ``(raw batch, rng) -> raw batch``
Augment = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True, eq=False)
class Examples:
    """Raw examples and what a network should say of them.

    Attributes:
        inputs: raw values (n, ...): uint8 images, int16 clips (n, 16000), or float features; may be
            memory-mapped.
        labels: number of the class of each, int64 (n,); or 0 and 1 (n, labels), or numbers
            (n, ...).
        names: of each, where it has one; empty otherwise.
        sha256: of the inputs, where whoever made them has it; empty: it is computed when it is
            needed.
    """

    inputs: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...] = ()
    sha256: str = ""

    def __len__(self) -> int:
        return len(self.labels)

    def digest(self) -> str:
        """Return a hash that changes when an input or a label does."""
        content = self.sha256 or _sha256(self.inputs)
        return hashlib.sha256(f"{content}:{_sha256(self.labels)}".encode()).hexdigest()

    def only(self, keep: np.ndarray) -> "Examples":
        """Return the examples at some places: numbers (m,) or truth values (n,)."""
        rows = np.arange(len(self))[keep]
        names = tuple(self.names[row] for row in rows) if self.names else ()
        return Examples(self.inputs[rows], self.labels[rows], names)


class ExampleFrontEnd(Protocol):
    """The front end of a network: it makes the input of raw examples.

    It is a frozen dataclass of JSON types, saved beside the model.

    Attributes:
        shape: shape of the input of the network, without the batch, e.g. (49, 10, 1); of several
            inputs, each by its name.
    """

    @property
    def shape(self) -> "tuple[int, ...] | Shapes":
        """Shape of the features of one example; of several inputs, each by its name."""

    def features(self, raw: np.ndarray) -> Float32Array:
        """Return features (n, *shape) of raw examples (n, ...)."""


@dataclass(frozen=True, eq=False)
class ExampleDataset:
    """Splits of a task on examples.

    Attributes:
        task: name of the task (registry.TASKS).
        splits: "train", "dev" and, where there is one, "test".
        classes: name of each output that has one; of classes, a label is a place in it.
        frontend: makes features of raw examples.
        seed: of the order of the examples, of their variations and of the calibration set.
        augment: varies training examples; None: they stay as they are.
    """

    task: ClassVar[str]

    splits: dict[str, Examples]
    classes: tuple[str, ...]
    frontend: ExampleFrontEnd
    seed: int
    augment: Augment | None = None

    def split(self, name: str) -> Examples:
        """Return a split by name. Raises UsageError if this data set has none of that name."""
        advice = f"add a folder {name}/, or x_{name} and y_{name} to an .npz"
        return split_of(self.splits, name, advice)

    def fingerprint(self) -> str:
        """Return a text that changes with training and dev examples, classes and front end."""
        hashes = []
        for name, examples in self.splits.items():
            if name != "test":
                hashes.append(f"{name}:{len(examples)}:{examples.digest()}")

        settings = _without_measured(dataclasses.asdict(cast(Any, self.frontend)))
        classes = ",".join(self.classes)
        return "|".join([*hashes, classes, json.dumps(settings, sort_keys=True), str(self.seed)])

    def batches_per_epoch(self, batch_size: int) -> int:
        """Return the number of full batches of one epoch, at least one.

        The examples of a last short one wait for the next epoch's order.
        """
        return max(1, len(self.split("train")) // batch_size)

    def batches(
        self, epoch: int, batch_size: int, seed: int = 0
    ) -> Iterator[tuple[Float32Array, np.ndarray]]:
        """Yield training batches of an epoch: features (batch_size, *shape), targets of each.

        They are the same for the same ``seed``. Where there are fewer examples than ``batch_size``,
        they are one smaller batch.
        """
        train = self.split("train")
        rng = np.random.default_rng([self.seed, 1, seed, epoch])
        order = rng.permutation(len(train))
        for number in range(self.batches_per_epoch(batch_size)):
            rows = order[number * batch_size : (number + 1) * batch_size]
            raw = train.inputs[rows]
            if self.augment is not None:
                raw = self.augment(raw, rng)
            inputs = self.frontend.features(raw)
            yield inputs, self.targets(inputs, train.labels[rows])

    def examples(self, split: str) -> tuple[Float32Array, np.ndarray]:
        """Return all of a split as it is: features (n, *shape), targets (n, ...)."""
        examples = self.split(split)
        inputs = features(self.frontend, examples.inputs)
        return inputs, self.targets(inputs, examples.labels)

    def targets(self, inputs: Float32Array, labels: np.ndarray) -> np.ndarray:
        """Return what a network should give for features (n, *shape) with labels (n, ...)."""
        del inputs
        return labels

    def calibration(self) -> Float32Array:
        """Return features (up to 256, *shape) of training examples as they are."""
        train = self.split("train")
        rng = np.random.default_rng([self.seed, 2])
        rows = rng.permutation(len(train))[:CALIBRATION_EXAMPLES]
        return features(self.frontend, train.inputs[rows])


def features(frontend: ExampleFrontEnd, inputs: np.ndarray) -> Float32Array:
    """Return features (n, *shape) of raw examples (n, ...).

    They are made some at a time, so that intermediate results do not grow with n.
    """
    made = named_arrays.empty(len(inputs), frontend.shape)
    for start in range(0, len(inputs), _CHUNK):
        made[start : start + _CHUNK] = frontend.features(inputs[start : start + _CHUNK])
    return made


def _without_measured(settings: Any) -> Any:
    """Return settings of a front end, and of those in it, without what was measured."""
    if isinstance(settings, dict):
        kept = {name: value for name, value in settings.items() if name not in _MEASURED}
        return {name: _without_measured(value) for name, value in kept.items()}
    if isinstance(settings, tuple):
        return tuple(map(_without_measured, settings))
    return settings


def _sha256(array: np.ndarray) -> str:
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    for start in range(0, len(array), 4096):
        digest.update(np.ascontiguousarray(array[start : start + 4096]).tobytes())
    return digest.hexdigest()
