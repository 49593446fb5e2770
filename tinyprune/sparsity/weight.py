"""``weight``: every weight is a group of its own (unstructured pruning)."""

import numpy as np
import numpy.typing as npt


def groups(shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Every weight alone: ids 0, 1, 2, ... in C order, of the kernel's shape."""
    return np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)
