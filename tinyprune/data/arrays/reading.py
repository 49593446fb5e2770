"""Arrays of a file by split: examples, what is known of each, and the group that it belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np

from tinyprune.data.npz import ARRAY_NAMES, class_names, load_npy, load_npz
from tinyprune.errors import UsageError
from tinyprune.named_arrays import Shapes, joined, parts, shapes

#: What the arrays of examples, of labels and of groups begin with.
SIDES = ("x", "y", "groups")
EXPECTED = (
    "x_train (and y_train, x_dev, y_dev, x_test, y_test), or x (and y, groups); of several inputs "
    "x_train_NAME, of several outputs y_train_NAME"
)
_SPLITS = set(chain.from_iterable(ARRAY_NAMES.values()))


@dataclass(frozen=True, eq=False)
class ArraySplit:
    """The arrays of one split.

    Attributes:
        x: examples (n, ...); of several inputs, with their names.
        y: what is known of each, (n, ...); of several outputs, with their names; None: nothing.
        groups: of each, (n,): subject, machine or recording; None: unknown.
    """

    x: np.ndarray
    y: np.ndarray | None = None
    groups: np.ndarray | None = None

    @property
    def labels(self) -> np.ndarray:
        """The labels of the examples, where there are some."""
        assert self.y is not None, "there is something"
        return self.y

    @property
    def shape(self) -> tuple[int, ...] | Shapes:
        """Shape of one example; of several inputs, each by its name."""
        return shapes(self.x)


@dataclass(frozen=True, eq=False)
class ArraySplits:
    """The arrays of a file.

    Attributes:
        splits: "train", and "dev" and "test" where the file has them.
        has_splits: whether the file says what is for training; else all of it is "train".
        class_names: of the classes or labels; empty where the file does not say.
        class_names_of: the same of each output, where there are several.
    """

    splits: dict[str, ArraySplit]
    has_splits: bool
    class_names: tuple[str, ...] = ()
    class_names_of: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def of_output(self, name: str) -> "ArraySplits":
        """Return one of several outputs alone, with the numbers of the examples as its inputs."""
        splits = {}
        for split, arrays in self.splits.items():
            splits[split] = ArraySplit(np.arange(len(arrays.x))[:, None], arrays.labels[name])
        return ArraySplits(splits, self.has_splits, self.class_names_of.get(name, ()))


def read_arrays(path: Path, labels: Path | None) -> ArraySplits:
    """Return the arrays of an .npz; or of an .npy, with its labels in another.

    Raises UsageError for anything else, and for arrays that do not go together.
    """
    if path.suffix == ".npy":
        x = load_npy(path)
        y = load_npy(labels) if labels else None
        _check(ArraySplit(x, y), path, "")
        return ArraySplits({"train": ArraySplit(x, y)}, has_splits=False)
    if path.suffix != ".npz":
        raise UsageError(f"{path}: expected a .npz or .npy file")
    if labels is not None:
        raise UsageError(f"{path} has its labels in it, as y or y_train: leave out --labels")
    return _splits(load_npz(path), path)


def _splits(arrays: dict[str, np.ndarray], path: Path) -> ArraySplits:
    """Return the splits of the arrays of an .npz; upper and lower case are the same.

    Those of names of inputs and outputs stay as they are.
    """
    splits = {}
    for split, suffixes in ARRAY_NAMES.items():
        for suffix in suffixes:
            if _side(arrays, f"x_{suffix}", path) is not None:
                splits[split] = _split(arrays, f"_{suffix}", path)
    has_splits = "train" in splits
    if not splits and _side(arrays, "x", path) is not None:
        splits["train"] = _split(arrays, "", path)
    if "train" not in splits:
        content = ", ".join(arrays) or "no array"
        raise UsageError(f"{path} holds {content}: expected {EXPECTED}")

    _check_halves(splits, path)
    by_name = {name.lower(): array for name, array in arrays.items()}
    named = {name: class_names(by_name, f"_{name.lower()}") for name in _outputs(splits["train"])}
    return ArraySplits(splits, has_splits, class_names(by_name), named)


def _split(arrays: Mapping[str, np.ndarray], suffix: str, path: Path) -> ArraySplit:
    x, y, groups = (_side(arrays, f"{side}{suffix}", path) for side in SIDES)
    assert x is not None, "it is there"
    split = ArraySplit(x, y, groups)
    _check(split, path, suffix)
    return split


def _side(arrays: Mapping[str, np.ndarray], name: str, path: Path) -> np.ndarray | None:
    """Return the array of a name, or those of ``name_INPUT`` together; None where there is none.

    Raises UsageError where both are there.
    """
    alone = None
    named = {}
    for key, array in arrays.items():
        if key.lower() == name:
            alone = array
        elif key.lower().startswith(f"{name}_"):
            named[key[len(name) + 1 :]] = array
    if not named or (name == "x" and _SPLITS.intersection(named)):  # of a file without x_train
        return alone
    if alone is not None:
        raise UsageError(f"{path} holds {name} and {name}_{min(named)}: expected one or the other")
    return _joined(named, name, path)


def _joined(named: Mapping[str, np.ndarray], side: str, path: Path) -> np.ndarray:
    """Return arrays (n, ...) together, each of (n,) as (n, 1).

    Raises UsageError where they are of different lengths.
    """
    lengths = {len(array) for array in named.values()}
    if len(lengths) > 1:
        found = ", ".join(f"{len(array)} in {side}_{name}" for name, array in named.items())
        raise UsageError(f"{path} has examples {found}: expected as many in each")
    columns = {}
    for name, array in named.items():
        columns[name] = array[:, None] if array.ndim == 1 else array
    return joined(columns)


def _outputs(split: ArraySplit) -> tuple[str, ...]:
    """Return the names of the outputs of a split; none where there is one."""
    return () if split.y is None else split.y.dtype.names or ()


def _check(split: ArraySplit, path: Path, suffix: str) -> None:
    """Raise UsageError for arrays of other lengths than the examples, or that hold no numbers."""
    for x in parts(split.x):
        if x.dtype.kind not in "buif" or x.ndim < 2 or not x.size:
            raise UsageError(
                f"{path}: x{suffix} is {x.dtype} of shape {x.shape}: "
                "expected numbers (n, ...), an example per row"
            )
    for side, array in (("y", split.y), ("groups", split.groups)):
        if array is not None and array.shape[:1] != split.x.shape[:1]:
            raise UsageError(
                f"{path}: {side}{suffix} is of shape {array.shape} for {len(split.x)} examples: "
                "expected one row each"
            )


def _check_halves(splits: Mapping[str, ArraySplit], path: Path) -> None:
    """Raise UsageError where one split has labels and another has none, or shapes differ."""
    train = splits["train"]
    for name, split in splits.items():
        if (split.y is None) != (train.y is None):
            lacking, other = (name, "train") if split.y is None else ("train", name)
            raise UsageError(f"{path} has no y_{lacking}, but y_{other}: give both or none")
        if split.shape != train.shape:
            raise UsageError(
                f"{path}: train and {name} are of different shapes, {train.shape} and {split.shape}"
            )
