"""Arrays of a file by split: examples, what is known of each, and the group that it belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyprune.data.npz import ARRAY_NAMES, class_names, load_npy, load_npz
from tinyprune.errors import UsageError

#: What the arrays of examples, of labels and of groups begin with.
SIDES = ("x", "y", "groups")
EXPECTED = "x_train (and y_train, x_dev, y_dev, x_test, y_test), or x (and y, groups)"


@dataclass(frozen=True, eq=False)
class ArraySplit:
    """The arrays of one split.

    Attributes:
        x: examples (n, ...).
        y: what is known of each, (n, ...); None: nothing.
        groups: of each, (n,): subject, machine or recording; None: unknown.
    """

    x: np.ndarray
    y: np.ndarray | None = None
    groups: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return self.x.shape[1:]


@dataclass(frozen=True, eq=False)
class ArraySplits:
    """The arrays of a file.

    Attributes:
        splits: "train", and "dev" and "test" where the file has them.
        has_splits: whether the file says what is for training; else all of it is "train".
        class_names: of the classes or labels; empty where the file does not say.
    """

    splits: dict[str, ArraySplit]
    has_splits: bool
    class_names: tuple[str, ...] = ()


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
    """Return the splits of the arrays of an .npz; upper and lower case are the same."""
    by_name = {name.lower(): array for name, array in arrays.items()}
    splits = {}
    for split, suffixes in ARRAY_NAMES.items():
        for suffix in suffixes:
            if f"x_{suffix}" in by_name:
                splits[split] = _split(by_name, f"_{suffix}", path)
    has_splits = "train" in splits
    if "x" in by_name and not splits:
        splits["train"] = _split(by_name, "", path)
    if "train" not in splits:
        content = ", ".join(arrays) or "no array"
        raise UsageError(f"{path} holds {content}: expected {EXPECTED}")

    _check_halves(splits, path)
    return ArraySplits(splits, has_splits, class_names(by_name))


def _split(arrays: Mapping[str, np.ndarray], suffix: str, path: Path) -> ArraySplit:
    x, y, groups = (arrays.get(f"{side}{suffix}") for side in SIDES)
    assert x is not None, "it is there"
    split = ArraySplit(x, y, groups)
    _check(split, path, suffix)
    return split


def _check(split: ArraySplit, path: Path, suffix: str) -> None:
    """Raise UsageError for arrays of other lengths than the examples, or that hold no numbers."""
    if split.x.dtype.kind not in "buif" or split.x.ndim < 2 or not split.x.size:
        raise UsageError(
            f"{path}: x{suffix} is {split.x.dtype} of shape {split.x.shape}: "
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
