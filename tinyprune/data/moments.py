"""Statistics of many examples, some at a time."""

import numpy as np

_CHUNK = 1024  # examples whose statistics are computed at once


def moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation of each feature, over all other axes of values (n, ..., features).

    The deviation of a constant one is given as 1.
    """
    axes = tuple(range(values.ndim - 1))
    count = values.size // values.shape[-1]
    chunks = [values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK)]
    mean = sum(chunk.sum(axis=axes, dtype=np.float64) for chunk in chunks) / count
    variance = sum(np.square(chunk - mean).sum(axis=axes) for chunk in chunks) / count
    std = np.sqrt(variance)
    return mean, np.where(std > 1e-6, std, 1.0)
