"""Arrays with names, one row per example: the inputs or the outputs of a network that has several.

They are one NumPy structured array of shape (n,), with a field per input or output. So they are
indexed, shuffled, cut and joined as the one array (n, ...) of a network that has one.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

#: Names of inputs or outputs -> shape of each, without the batch axis.
Shapes = dict[str, tuple[int | None, ...]]


def joined(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return arrays (n, ...) as one of shape (n,), a field each, in alphabetical order."""
    names = sorted(arrays)
    count = len(arrays[names[0]])
    fields = [(name, arrays[name].dtype, arrays[name].shape[1:]) for name in names]
    whole = np.empty(count, fields)
    for name in names:
        whole[name] = arrays[name]
    return whole


def empty(count: int, shape: "tuple[int | None, ...] | Shapes") -> np.ndarray:
    """Return a float32 array (count, *shape), or one with names where there is a shape for each."""
    if not isinstance(shape, dict):
        return np.empty((count, *shape), np.float32)  # type: ignore[arg-type]
    fields = [(name, np.float32, shape[name]) for name in sorted(shape)]
    return np.empty(count, fields)


def has_names(values: np.ndarray) -> bool:
    """Return whether an array has fields with names."""
    return values.dtype.names is not None


def split(values: np.ndarray) -> dict[str, np.ndarray]:
    """Return field -> its array (n, ...)."""
    return {name: values[name] for name in values.dtype.names or ()}


def arrays_of(values: np.ndarray) -> Any:
    """Return an array with names as a dict of its arrays, and one without as it is."""
    return split(values) if has_names(values) else values


def parts(values: np.ndarray) -> list[np.ndarray]:
    """Return the arrays (n, ...) of all fields; of an array without names, itself alone."""
    return list(split(values).values()) if has_names(values) else [values]


def shapes(values: np.ndarray) -> "tuple[int, ...] | Shapes":
    """Return the shape of one example; where there are names, that of each field."""
    if not has_names(values):
        return tuple(values.shape[1:])
    return {name: tuple(array.shape[1:]) for name, array in split(values).items()}


def each(function: Callable[[np.ndarray], np.ndarray], values: np.ndarray) -> np.ndarray:
    """Return an array whose every field is that of ``values`` put through a function.

    An array without names is put through it as a whole.
    """
    if not has_names(values):
        return function(values)
    return joined({name: function(array) for name, array in split(values).items()})


def to_float32(values: np.ndarray) -> np.ndarray:
    """Return numbers as float32, field by field."""
    return each(lambda array: np.asarray(array, np.float32), values)
