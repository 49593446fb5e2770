"""Calibration inputs as a caller gives them."""

from collections.abc import Mapping

import numpy as np

from tinyprune.errors import UsageError
from tinyprune.named_arrays import joined, to_float32

#: Inputs (n, ...), or those of several inputs by name.
Calibration = np.ndarray | Mapping[str, np.ndarray]


def calibration_inputs(calibration: Calibration) -> np.ndarray:
    """Return calibration inputs as float32, with names where there are several.

    Raises UsageError where several have different numbers of examples.
    """
    if not isinstance(calibration, Mapping):
        return np.asarray(calibration, np.float32)
    arrays = {name: np.asarray(array) for name, array in calibration.items()}
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) != 1:
        raise UsageError(f"calibration has inputs of different lengths: {lengths}")
    return to_float32(joined(arrays))
