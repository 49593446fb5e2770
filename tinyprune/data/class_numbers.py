"""Labels of any kind as numbers of classes."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tinyprune.array_types import IntArray
from tinyprune.errors import UsageError


def numbered_labels(
    labels: Mapping[str, np.ndarray], class_names: tuple[str, ...], path: Path
) -> tuple[tuple[str, ...], dict[str, IntArray]]:
    """Return the classes, and the labels of each split as places in them, int64 (n,).

    Raises UsageError for a label that is not one of the classes.

    Args:
        labels: checked labels (n,) of each split.
        class_names: of the classes, label i is the i-th; empty where the data do not say.
        path: of the data, for messages.
    """
    names = class_names
    are_texts = labels["train"].dtype.kind == "U"
    if names and not are_texts:
        values = np.arange(len(names))
        expected = f"0 to {len(names) - 1}, the named classes"
    else:
        values = np.unique(labels["train"])
        names = tuple(map(str, values.tolist()))
        expected = "those of y_train"

    numbers = {}
    for split, split_labels in labels.items():
        unknown = split_labels[~np.isin(split_labels, values)]
        if len(unknown):
            raise UsageError(f"{path}: y_{split} holds the label {unknown[0]}: expected {expected}")
        numbers[split] = np.searchsorted(values, split_labels).astype(np.int64)
    return names, numbers


def checked_labels(labels: np.ndarray, count: int, name: str) -> np.ndarray:
    """Return labels (n,), integers or texts, of (n,) or (n, 1).

    Raises UsageError for anything else.

    Args:
        labels: of each example. count: number of examples. name: of the array in messages.
    """
    shape = labels.shape
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (count,):
        raise UsageError(
            f"{name} is of shape {shape} for {count} examples: expected one label each"
        )
    if labels.dtype.kind == "U":
        return labels
    is_integer = labels.dtype.kind in "bui"
    if labels.dtype.kind == "f" and np.array_equal(labels, np.round(labels)):
        is_integer = True
    if not is_integer:
        raise UsageError(f"{name} is {labels.dtype}: expected numbers or names of classes")
    return labels.astype(np.int64)
