"""Measures of how near numbers come to those that were wanted."""

import numpy as np

from tinyprune.array_types import Float64Array
from tinyprune.errors import TinypruneError


def mse(targets: np.ndarray, outputs: np.ndarray) -> float:
    """Mean squared error, ``mean((output - target)^2)``, in the squared unit of the numbers.

    Args:
        targets, outputs: (n, ...).
    """
    return float(np.mean(squared_errors(targets, outputs)))


def mae(targets: np.ndarray, outputs: np.ndarray) -> float:
    """Mean absolute error, ``mean(|output - target|)``, in the unit of the numbers.

    Args:
        targets, outputs: (n, ...).
    """
    return float(np.mean(absolute_errors(targets, outputs)))


def r2(targets: np.ndarray, outputs: np.ndarray) -> float:
    """Coefficient of determination, at most 1; 0 is as good as the mean of the targets.

    ``1 - sum((output - target)^2) / sum((target - mean)^2)`` of each number of an example, averaged
    over those that vary. Raises TinypruneError where none varies.

    Args:
        targets, outputs: (n, ...).
    """
    wanted = np.asarray(targets, np.float64).reshape(len(targets), -1)
    given = np.asarray(outputs, np.float64).reshape(len(outputs), -1)
    residual = np.square(given - wanted).sum(axis=0)
    spread = np.square(wanted - wanted.mean(axis=0)).sum(axis=0)
    varies = spread > 0
    if not varies.any():
        raise TinypruneError("R2 needs numbers that vary: all targets are the same")
    return float(np.mean(1 - residual[varies] / spread[varies]))


def squared_errors(targets: np.ndarray, outputs: np.ndarray) -> Float64Array:
    """Return the mean squared error of each example, (n,), of targets and outputs (n, ...)."""
    return _means(np.square(_differences(targets, outputs)))


def absolute_errors(targets: np.ndarray, outputs: np.ndarray) -> Float64Array:
    """Return the mean absolute error of each example, (n,), of targets and outputs (n, ...)."""
    return _means(np.abs(_differences(targets, outputs)))


def _differences(targets: np.ndarray, outputs: np.ndarray) -> Float64Array:
    difference = np.asarray(outputs, np.float64) - np.asarray(targets, np.float64)
    return difference.reshape(len(difference), -1)


def _means(values: Float64Array) -> Float64Array:
    """Return the mean of each row."""
    means: Float64Array = values.mean(axis=1)
    return means
