"""``arrays``: examples of any shape with classes, labels, numbers or nothing beside them."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.config import ArrayData
from tinyprune.config.data import RAW, STANDARD
from tinyprune.data.arrays.frontend import ArrayFrontEnd
from tinyprune.data.arrays.meaning import CLASSES, INPUT, LABELS, NUMBERS, is_one_hot, meaning_of
from tinyprune.data.arrays.reading import ArraySplits, read_arrays
from tinyprune.data.class_numbers import checked_labels, numbered_labels
from tinyprune.data.examples import ExampleDataset, Examples
from tinyprune.data.labelled import LabelledDataset, check_classes, hold_out_examples
from tinyprune.data.moments import moments
from tinyprune.errors import UsageError

log = logging.getLogger(__name__)
_CHUNK = 4096  # examples that are searched for NaN at once


@dataclass(frozen=True, eq=False)
class MultiLabelDataset(ExampleDataset):
    """Splits of examples with labels (n, labels), 0 or 1."""

    task: ClassVar[str] = "multilabel"

    def targets(self, inputs: Float32Array, labels: np.ndarray) -> Float32Array:
        """Return the labels as probabilities."""
        del inputs
        return labels.astype(np.float32)


@dataclass(frozen=True, eq=False)
class NumberDataset(ExampleDataset):
    """Splits of examples with numbers (n, ..., k), in the unit of the data."""

    task: ClassVar[str] = "regression"

    frontend: ArrayFrontEnd

    def targets(self, inputs: Float32Array, labels: np.ndarray) -> Float32Array:
        """Return the numbers as the network is to give them."""
        del inputs
        return self.frontend.targets(labels)


@dataclass(frozen=True, eq=False)
class InputDataset(ExampleDataset):
    """Splits of examples that a network gives back."""

    task: ClassVar[str] = "reconstruction"

    def targets(self, inputs: Float32Array, labels: np.ndarray) -> Float32Array:
        """Return the inputs."""
        del labels
        return inputs


def load(config: ArrayData, cache: Path) -> ExampleDataset:
    """Arrays of any shape (windows, features, patches) in an .npz or .npy, with classes, labels,
    numbers or nothing.

    Nothing is mirrored or shifted. What the file does not split is split by the seed, whole groups
    together. Raises UsageError for arrays that cannot be used, and labels that may mean either.
    """
    del cache
    path = Path(str(config.arrays)).expanduser()
    if not path.is_file():
        raise UsageError(f"there is no file {path}: expected a .npz or .npy file")
    arrays = read_arrays(path, Path(config.labels).expanduser() if config.labels else None)
    train = arrays.splits["train"]
    name = f"{path}: y_train" if arrays.has_splits else f"{path}: y"
    meaning = meaning_of(train.y, config.predict, name)

    dataset = _DATASETS[meaning](arrays, config, path)
    counts = ", ".join(f"{len(part)} {split}" for split, part in dataset.splits.items())
    shape = dataset.frontend.shape
    log.info("%s: %s examples %s; labels: %s", path.name, counts, shape, _SAID[meaning])
    return dataset


# --- what is predicted
# --------------------------------------------------------------------------------------------------


def _of_classes(arrays: ArraySplits, config: ArrayData, path: Path) -> ExampleDataset:
    texts = {}
    for name, split in arrays.splits.items():
        labels = np.asarray(split.y)
        if is_one_hot(labels):
            labels = np.argmax(labels, axis=1)
        texts[name] = checked_labels(labels, len(split.x), f"{path}: y_{name}")
    classes, numbers = numbered_labels(texts, arrays.class_names, path)
    check_classes(tuple(classes[label] for label in np.unique(numbers["train"])), path)

    splits = _divided(arrays, numbers, config, path)
    frontend = _front_end(splits["train"].inputs, config.normalise or STANDARD)
    return LabelledDataset(splits, classes, frontend, config.seed)


def _of_labels(arrays: ArraySplits, config: ArrayData, path: Path) -> ExampleDataset:
    labels = {name: np.asarray(split.y, np.int64) for name, split in arrays.splits.items()}
    count = labels["train"].shape[1]
    names = arrays.class_names or tuple(map(str, range(count)))
    if len(names) != count:
        raise UsageError(f"{path} names {len(names)} classes, and y_train has {count} labels")

    splits = _divided(arrays, labels, config, path)
    varies = splits["train"].labels.any(axis=0) & ~splits["train"].labels.all(axis=0)
    if not varies.all():
        label = names[int(np.argmin(varies))]
        raise UsageError(f"{path}: label '{label}' is the same in all training examples: leave it")
    frontend = _front_end(splits["train"].inputs, config.normalise or STANDARD)
    return MultiLabelDataset(splits, names, frontend, config.seed)


def _of_numbers(arrays: ArraySplits, config: ArrayData, path: Path) -> ExampleDataset:
    numbers = {}
    for name, split in arrays.splits.items():
        values = np.asarray(split.y, np.float64)
        _check_finite(values, f"{path}: y_{name}")
        numbers[name] = values[:, None] if values.ndim == 1 else values

    splits = _divided(arrays, numbers, config, path)
    for name, examples in splits.items():
        if (examples.labels == examples.labels[0]).all():
            raise UsageError(f"{path}: y of {name} is always the same: there is nothing to predict")
    mean, std = moments(splits["train"].labels)
    if config.normalise_numbers == RAW:
        mean, std = np.zeros(len(mean)), np.ones(len(std))
    frontend = replace(
        _front_end(splits["train"].inputs, config.normalise or STANDARD),
        output_mean=tuple(mean.tolist()),
        output_std=tuple(std.tolist()),
    )
    return NumberDataset(splits, (), frontend, config.seed)


def _of_inputs(arrays: ArraySplits, config: ArrayData, path: Path) -> ExampleDataset:
    nothing = {name: np.zeros(len(split.x)) for name, split in arrays.splits.items()}
    splits = _divided(arrays, nothing, config, path)
    frontend = _front_end(splits["train"].inputs, config.normalise or STANDARD)
    return InputDataset(splits, (), frontend, config.seed)


_DATASETS = {CLASSES: _of_classes, LABELS: _of_labels, NUMBERS: _of_numbers, INPUT: _of_inputs}

#: Meaning of labels -> what is said of it.
_SAID = {
    CLASSES: "one class each",
    LABELS: "several, 0 or 1",
    NUMBERS: "numbers (regression)",
    INPUT: "none used, the network gives back its input",
}


# --- splits
# --------------------------------------------------------------------------------------------------


def _divided(
    arrays: ArraySplits, labels: dict[str, np.ndarray], config: ArrayData, path: Path
) -> dict[str, Examples]:
    """Return the splits with dev, and with test where the file does not split at all."""
    splits = {}
    for name, split in arrays.splits.items():
        _check_finite(split.x, f"{path}: x of {name}")
        splits[name] = Examples(split.x, labels[name])
        shapes = labels[name].shape[1:], labels["train"].shape[1:]
        if shapes[0] != shapes[1]:
            raise UsageError(f"{path}: y_{name} has rows {shapes[0]}, y_train {shapes[1]}")
    groups = arrays.splits["train"].groups
    if not arrays.has_splits:
        groups = _hold_out("test", splits, groups, config)
    if "dev" not in splits:
        _hold_out("dev", splits, groups, config)
    order = ("train", "dev", "test")
    return {name: splits[name] for name in order if name in splits}


def _hold_out(
    name: str, splits: dict[str, Examples], groups: np.ndarray | None, config: ArrayData
) -> np.ndarray | None:
    """Move a part of the training examples to a split. Returns the groups of those that stay."""
    train = splits["train"]
    classes = train.labels
    if classes.ndim > 1 or classes.dtype.kind == "f":
        classes = np.zeros(len(train), np.int64)
    held = hold_out_examples(classes, config.hold_out, config.seed, groups)
    splits[name] = train.only(held)
    splits["train"] = train.only(~held)
    return None if groups is None else groups[~held]


def _check_finite(values: np.ndarray, name: str) -> None:
    """Raise UsageError for an array with NaN or infinite numbers."""
    for start in range(0, len(values), _CHUNK):
        if not np.isfinite(values[start : start + _CHUNK]).all():
            raise UsageError(f"{name} holds NaN or infinite values")


def _front_end(x: np.ndarray, normalise: str) -> ArrayFrontEnd:
    """Return the front end of training examples (n, ..., features)."""
    features = x.shape[-1]
    mean, std = np.zeros(features), np.ones(features)
    if normalise == "standard":
        mean, std = moments(x)
    shape = tuple(x.shape[1:])
    return ArrayFrontEnd(shape, normalise, tuple(mean.tolist()), tuple(std.tolist()))
