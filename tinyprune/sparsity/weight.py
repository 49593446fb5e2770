"""``weight``: every weight is a group of its own (unstructured pruning)."""

import numpy as np

from tinyprune.array_types import IntArray


def groups(shape: tuple[int, ...]) -> IntArray:
    """Every weight alone: ids 0, 1, 2, ... in C order, of the kernel's shape."""
    return np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)
