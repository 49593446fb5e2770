"""Numbers of front ends in C that compute in integers of 32 bits, with products of 64.

"Qn" is an integer of 2^-n.
"""

import math
from collections.abc import Sequence

import numpy as np

from tinyprune.audio.device import DeviceFrontEnd
from tinyprune.audio.device_mfcc import DeviceMfcc
from tinyprune.data.anomaly.device import DeviceLogMel
from tinyprune.errors import UsageError
from tinyprune.firmware.c_text import CArray, CConstant
from tinyprune.firmware.device_model import DeviceEnd
from tinyprune.firmware.tables import check_fft, packed_arrays

#: Bits behind the point, as in templates/network_fixed*.c: of samples, which are steps of 16 bits,
#: of windows and of logarithms; and of what comes out of networks that make no sound.
SAMPLE_BITS, WINDOW_BITS, LOG_BITS, OUTPUT_BITS = 12, 30, 24, 16
FULL_SCALE_BITS = 15
SCALE_BITS = 30
_TURN_BITS, _TABLE_STEPS, _MOST_BITS = 30, 256, 30
_LARGEST_CONSTANT = 2.0**62

SoundRecord = DeviceFrontEnd | DeviceMfcc | DeviceLogMel


def spectrum_arrays(record: SoundRecord) -> list[CArray]:
    """Return the tables of the transform, of logarithms, and the window before the transform.

    Raises UsageError for a transform of an odd length.
    """
    check_fft(record.fft)
    angles = 2 * np.pi * np.arange(record.fft // 2) / record.fft
    steps = np.arange(_TABLE_STEPS + 1) / _TABLE_STEPS
    return [
        fixed_array("cosines", np.cos(angles), _TURN_BITS, "of the Fourier transform, Q30"),
        fixed_array("sines", np.sin(angles), _TURN_BITS, "of the Fourier transform, Q30"),
        fixed_array("logarithms", np.log2(1 + steps), LOG_BITS, "of 1 to 2, base 2, Q24"),
        window_array("analysis_window", record.analysis_window, "before the transform, Q30"),
    ]


def power_array() -> CArray:
    """Return the powers of 2 with exponents from 0 to 1."""
    steps = np.arange(_TABLE_STEPS + 1) / _TABLE_STEPS
    powers = np.rint(2.0 ** (30 + steps)).astype(np.uint32)
    return CArray("powers", powers, "of 2, 0 to 1, Q30")


def spectrum_bits(record: SoundRecord) -> int:
    """Return the exponent of 2 by which a bin of the transform is multiplied, of full scale 1."""
    return int(math.log2(record.fft)) - SAMPLE_BITS - FULL_SCALE_BITS


def end_constants(given: DeviceEnd, made: DeviceEnd) -> list[CConstant]:
    """Return zero points of input and output, and the scale of the output."""
    return [
        CConstant("input_zero_point", str(given.zero_point)),
        CConstant("output_zero_point", str(made.zero_point)),
        fixed_constant("output_scale", made.scale, SCALE_BITS, "Q30"),
    ]


def fixed_constant(name: str, value: float, bits: int, meaning: str = "") -> CConstant:
    """Return a number with bits behind the point as a constant of 64 bits.

    Raises UsageError for one that is too large.
    """
    if abs(value) * 2.0**bits >= _LARGEST_CONSTANT:
        raise _too_large(name)
    return CConstant(name, f"INT64_C({round(value * 2**bits)})", meaning)


def fixed_array(name: str, values: Sequence[float] | np.ndarray, bits: int, meaning: str) -> CArray:
    """Return numbers with bits behind the point. Raises UsageError for what 32 bits do not hold."""
    integers = np.rint(np.asarray(values, float) * 2.0**bits)
    if np.abs(integers).max() >= 2**31:
        raise _too_large(name)
    return CArray(name, integers.astype(np.int32), meaning)


def window_array(name: str, values: Sequence[float], meaning: str) -> CArray:
    """Return a window in Q30. Raises UsageError for what 32 bits do not hold."""
    return fixed_array(name, values, WINDOW_BITS, meaning)


def matrix_arrays(record: SoundRecord, name: str, bits: int, meaning: str) -> list[CArray]:
    """Return the three arrays of a packed matrix of a record, e.g. "mel"."""
    first, lengths, weights = (
        getattr(record, f"{name}_{part}") for part in ("first", "lengths", "weights")
    )
    *places, _ = packed_arrays(name, first, lengths, weights, meaning)
    return [*places, fixed_array(f"{name}_weights", weights, bits, f"row by row, Q{bits}")]


def fitting_bits(
    name: str, values: Sequence[float] | np.ndarray, most: int, most_bits: int = _MOST_BITS
) -> int:
    """Return the bits behind the point with which the largest number has fewer than ``most``.

    They are at most ``most_bits``. Raises UsageError for numbers that are too large, or all zero.
    """
    largest = float(np.abs(values).max())
    if not 0 < largest < 2**20:
        raise _too_large(name)
    return min(most - 1 - math.floor(math.log2(largest)), most_bits)


def _too_large(name: str) -> UsageError:
    return UsageError(
        f"numbers of the front end do not fit into 32 bits: {name}; give --arithmetic float"
    )
