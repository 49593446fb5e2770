"""``arrays``: examples of any shape with classes, labels, numbers or nothing beside them."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.config import ArrayData
from tinyprune.config.data import RAW, STANDARD
from tinyprune.config.settings import named_values
from tinyprune.data.arrays.frontend import ArrayFrontEnd, NamedFrontEnd, OutputRecord
from tinyprune.data.arrays.meaning import (
    AUTO,
    CLASSES,
    FEW_VALUES,
    INPUT,
    LABELS,
    NUMBERS,
    is_one_hot,
    meaning_of,
)
from tinyprune.data.arrays.reading import ArraySplit, ArraySplits, read_arrays
from tinyprune.data.arrays.several import SeveralDataset, check_ends
from tinyprune.data.class_numbers import checked_labels, numbered_labels
from tinyprune.data.examples import ExampleDataset, Examples
from tinyprune.data.labelled import LabelledDataset, check_classes, hold_out_examples
from tinyprune.data.moments import moments
from tinyprune.errors import UsageError
from tinyprune.named_arrays import has_names, joined
from tinyprune.named_arrays import shapes as named_shapes
from tinyprune.named_arrays import split as split_arrays

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

    frontend: ArrayFrontEnd | NamedFrontEnd

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
    dataset, said = _understood(arrays, config, path)
    counts = ", ".join(f"{len(part)} {split}" for split, part in dataset.splits.items())
    shape = dataset.frontend.shape
    log.info("%s: %s examples %s; labels: %s", path.name, counts, shape, said)
    return dataset


def _understood(arrays: ArraySplits, config: ArrayData, path: Path) -> tuple[ExampleDataset, str]:
    """Return the data set of arrays, and in words what their labels are."""
    labels = arrays.splits["train"].y
    if labels is not None and has_names(labels):
        return _of_several(arrays, config, path)
    if labels is None and has_names(arrays.splits["train"].x):
        raise UsageError(f"{path} has several inputs and no y: expected y_train, or y_train_NAME")
    name = f"{path}: y_train" if arrays.has_splits else f"{path}: y"
    meaning = meaning_of(labels, config.predict, name)
    return _DATASETS[meaning](arrays, config, path), _SAID[meaning]


# --- several outputs
# --------------------------------------------------------------------------------------------------


def _of_several(arrays: ArraySplits, config: ArrayData, path: Path) -> tuple[ExampleDataset, str]:
    """Return the data set of several outputs: each is understood as if it were alone."""
    divided = _with_all_splits(arrays, config, path)
    outputs: dict[str, ExampleDataset] = {}
    said = []
    for name, meaning in _asked_meanings(divided, config, path).items():
        own = replace(config, predict=meaning, normalise=RAW)
        place = Path(f"{path}, output {name}")
        outputs[name], found = _understood(divided.of_output(name), own, place)
        said.append(f"{name}: {found}")

    splits = {}
    for split, of_split in divided.splits.items():
        _check_finite(of_split.x, f"{path}: x of {split}")
        labels = {name: output.splits[split].labels for name, output in outputs.items()}
        splits[split] = Examples(of_split.x, joined(labels))
    frontend = _front_end(splits["train"].inputs, config.normalise or STANDARD)
    if isinstance(frontend, ArrayFrontEnd):
        frontend = NamedFrontEnd(("",), (frontend,))
    records = [_output_record(name, output) for name, output in outputs.items()]
    frontend = replace(frontend, outputs=tuple(records))
    dataset = SeveralDataset(splits, (), frontend, config.seed, outputs=outputs)
    return dataset, "; ".join(said)


def _asked_meanings(arrays: ArraySplits, config: ArrayData, path: Path) -> dict[str, str]:
    """Return output -> what its labels are asked to mean, "auto" where nothing is said of it."""
    names = arrays.splits["train"].labels.dtype.names or ()
    asked = dict.fromkeys(names, config.predict)
    if "=" in config.predict:
        named = named_values(config.predict, "data.predict")
        check_ends("data.predict", named, names, "outputs")
        asked = {name: named.get(name, AUTO) for name in names}
    if INPUT in asked.values():
        raise UsageError(f"data.predict: {path} has several outputs, of which none is the input")
    return asked


def _output_record(name: str, output: ExampleDataset) -> OutputRecord:
    scaling = output.frontend
    assert isinstance(scaling, ArrayFrontEnd), "its inputs are numbers of examples"
    return OutputRecord(name, output.classes, scaling.output_mean, scaling.output_std)


def _with_all_splits(arrays: ArraySplits, config: ArrayData, path: Path) -> ArraySplits:
    """Return the arrays of several outputs with dev, and with test where they were not split.

    Examples are held out by the first output that has few values, else at random.
    """
    wanted = named_shapes(arrays.splits["train"].labels)
    rows = {}
    for name, split in arrays.splits.items():
        if named_shapes(split.labels) != wanted:
            found = named_shapes(split.labels)
            raise UsageError(f"{path}: y_{name} has {found}, y_train {wanted}")
        rows[name] = Examples(np.arange(len(split.x)), _strata(split.labels))
    held_out = _with_held_out(rows, arrays, config)

    divided = {}
    for name, of_split in held_out.items():
        source = arrays.splits.get(name, arrays.splits["train"])
        divided[name] = ArraySplit(source.x[of_split.inputs], source.labels[of_split.inputs])
    return replace(arrays, splits=divided, has_splits=True)


def _strata(labels: np.ndarray) -> np.ndarray:
    """Return what examples are held out alike of: the first output with one of few values."""
    for array in split_arrays(labels).values():
        if array.shape[1:] == (1,) and len(np.unique(array)) <= FEW_VALUES:
            return np.unique(array, return_inverse=True)[1].reshape(-1)
    return np.zeros(len(labels), np.int64)


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
    return _with_held_out(splits, arrays, config)


def _with_held_out(
    splits: dict[str, Examples], arrays: ArraySplits, config: ArrayData
) -> dict[str, Examples]:
    """Return the splits with dev, and with test where the file does not split at all."""
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
    if has_names(values):
        for field, array in split_arrays(values).items():
            _check_finite(array, f"{name}, {field},")
        return
    for start in range(0, len(values), _CHUNK):
        if not np.isfinite(values[start : start + _CHUNK]).all():
            raise UsageError(f"{name} holds NaN or infinite values")


def _front_end(x: np.ndarray, normalise: str) -> ArrayFrontEnd | NamedFrontEnd:
    """Return the front end of training examples (n, ..., features), or of several inputs."""
    if not has_names(x):
        if "=" in normalise:
            raise UsageError(f"data.normalise: {normalise} names inputs, and the data have one")
        return _front_end_of_one(x, normalise)
    arrays = split_arrays(x)
    chosen = dict.fromkeys(arrays, normalise)
    if "=" in normalise:
        named = named_values(normalise, "data.normalise")
        chosen = {**dict.fromkeys(arrays, STANDARD), **named}
        check_ends("data.normalise", chosen, tuple(arrays), "inputs")
    inputs = [_front_end_of_one(array, chosen[name]) for name, array in arrays.items()]
    return NamedFrontEnd(tuple(arrays), tuple(inputs))


def _front_end_of_one(x: np.ndarray, normalise: str) -> ArrayFrontEnd:
    """Return the front end of training examples (n, ..., features)."""
    features = x.shape[-1]
    mean, std = np.zeros(features), np.ones(features)
    if normalise == "standard":
        mean, std = moments(x)
    shape = tuple(x.shape[1:])
    return ArrayFrontEnd(shape, normalise, tuple(mean.tolist()), tuple(std.tolist()))
