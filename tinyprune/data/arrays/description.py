"""Descriptions of arrays in a file: what each holds, and what a training would take them for."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyprune.config import ArrayData
from tinyprune.data.arrays.dataset import load
from tinyprune.data.npz import load_npy, load_npz
from tinyprune.errors import UsageError


@dataclass(frozen=True)
class ArraySummary:
    """One array of a file.

    Attributes:
        array: its name. shape, dtype: as NumPy has them.
        lowest, highest: of its finite numbers; None of texts, and where there are none.
        different: how many different values it has.
        not_finite: how many are NaN or infinite.
    """

    array: str
    shape: tuple[int, ...]
    dtype: str
    lowest: float | None
    highest: float | None
    different: int
    not_finite: int


@dataclass(frozen=True)
class ArrayDescription:
    """The arrays of a file.

    Attributes:
        path: the file. arrays: in its order.
        task: what a training takes them for; empty where it takes them for nothing.
        splits: split -> number of examples.
        problem: what is wrong with them, or is to be said with an option; empty where nothing is.
    """

    path: str
    arrays: tuple[ArraySummary, ...]
    task: str
    splits: dict[str, int]
    problem: str


def describe_arrays(path: Path) -> ArrayDescription:
    """Return what a .npz or .npy holds. Raises UsageError for a file that cannot be read."""
    if not path.is_file():
        raise UsageError(f"there is no file {path}: expected a .npz or .npy file")
    arrays = {"x": load_npy(path)} if path.suffix == ".npy" else load_npz(path)
    summaries = tuple(_summary(name, array) for name, array in arrays.items())
    try:
        dataset = load(ArrayData(arrays=str(path)), path.parent)
    except UsageError as error:
        return ArrayDescription(str(path), summaries, "", {}, str(error))
    splits = {name: len(examples) for name, examples in dataset.splits.items()}
    return ArrayDescription(str(path), summaries, dataset.task, splits, "")


def _summary(name: str, array: np.ndarray) -> ArraySummary:
    different = len(np.unique(array))
    if array.dtype.kind not in "buif":
        return ArraySummary(name, array.shape, str(array.dtype), None, None, different, 0)
    finite = np.isfinite(array)
    numbers = array[finite]
    lowest = highest = None
    if numbers.size:
        lowest, highest = float(numbers.min()), float(numbers.max())
    bad = int(array.size - numbers.size)
    return ArraySummary(name, array.shape, str(array.dtype), lowest, highest, different, bad)
