"""Tables and constants of a front end in C, and what several front ends have in common."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tinyprune.errors import UsageError
from tinyprune.firmware.c_text import CArray, CConstant, c_float
from tinyprune.firmware.device_model import DeviceEnd

SHORTEST_FFT = 4


@dataclass(frozen=True)
class Tables:
    """Numbers of a front end.

    Attributes:
        constants: single ones. arrays: the others.
        normalised: names of the ends whose numbers have a mean and a deviation.
    """

    constants: tuple[CConstant, ...]
    arrays: tuple[CArray, ...]
    normalised: tuple[str, ...] = field(default=())

    @property
    def bytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.bytes for array in self.arrays)

    def has(self, name: str) -> bool:
        """Return whether there is an array of a name."""
        return any(array.name == name for array in self.arrays)


def quantization(end: DeviceEnd, prefix: str) -> list[CConstant]:
    """Return scale and zero point of an end as constants: float = scale * (integer - zero)."""
    return [
        CConstant(f"{prefix}_scale", c_float(end.scale)),
        CConstant(f"{prefix}_zero_point", c_float(end.zero_point)),
    ]


def check_fft(fft: int) -> None:
    """Raise UsageError for a Fourier transform of an odd length."""
    if fft < SHORTEST_FFT or fft & (fft - 1):
        raise UsageError(
            f"a front end with a Fourier transform of {fft} points: expected a power of two "
            f"from {SHORTEST_FFT} on"
        )


def fft_tables(fft: int) -> list[CArray]:
    """Return cosines and sines of a Fourier transform. Raises UsageError for an odd length."""
    check_fft(fft)
    angles = 2 * np.pi * np.arange(fft // 2) / fft
    return [
        float_array("cosines", np.cos(angles), "of the Fourier transform"),
        float_array("sines", np.sin(angles), "of the Fourier transform"),
    ]


def float_array(name: str, values: Sequence[float] | np.ndarray, meaning: str) -> CArray:
    """Return numbers as float32."""
    return CArray(name, np.asarray(values, np.float32), meaning)


def packed_arrays(
    name: str, first: Sequence[int], lengths: Sequence[int], weights: Sequence[float], meaning: str
) -> list[CArray]:
    """Return the three arrays of a packed matrix (audio/device.py)."""
    return [
        CArray(f"{name}_first", np.asarray(first, np.uint16), f"{meaning}: first column of a row"),
        CArray(f"{name}_lengths", np.asarray(lengths, np.uint16), "weights of a row"),
        float_array(f"{name}_weights", weights, "row by row"),
    ]
