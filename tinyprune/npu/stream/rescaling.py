"""``value * scale / 2^shift`` in integers, in the three ways in which Ethos-U rounds."""

from enum import Enum

import numpy as np

from tinyprune.array_types import IntArray

_SAFE_BITS = 62


class Rounding(Enum):
    """The way in which a scaled value becomes an integer.

    Attributes:
        DOUBLE: as TFLite: to a multiple of 2^-31 first, where halves go up; then the rest, where
            halves go away from zero.
        TRUNCATE: towards zero.
        NATURAL: halves go up.
    """

    DOUBLE = 0
    TRUNCATE = 1
    NATURAL = 2


class Rescaling:
    """A multiplication by ``scale / 2^shift``, prepared once.

    Attributes:
        scale, shift: integers, or one of each per channel; ``0 <= shift < 64``.
        rounding: how the result becomes an integer.
    """

    def __init__(self, scale: int | IntArray, shift: int | IntArray, rounding: Rounding) -> None:
        self.scale = np.asarray(scale, np.int64)
        self.shift = np.asarray(shift, np.int64)
        self.rounding = rounding
        self._scale_bits = int(self.scale.max()).bit_length()
        self._left = np.maximum(31 - self.shift, 0)
        self._right = np.maximum(self.shift - 31, 0)
        self._half_right = (np.int64(1) << self._right) >> 1
        self._is_right = (self._right > 0).astype(np.int64)
        self._half = (np.int64(1) << np.minimum(self.shift, _SAFE_BITS)) >> 1
        self._is_identity = not self.shift.any() and bool((self.scale == 1).all())

    def __call__(self, values: IntArray) -> IntArray:
        """Return scaled values; exact for any that fit 64 bit."""
        if self._is_identity:
            return values
        bits = max(int(values.max()), -int(values.min())).bit_length() + self._scale_bits
        if self.rounding is Rounding.DOUBLE:
            bits += int(self._left.max())
        if bits > _SAFE_BITS or int(self.shift.max()) > _SAFE_BITS:
            return self._exactly(values)
        if self.rounding is Rounding.DOUBLE:
            return self._double(values)
        product = values * self.scale
        if self.rounding is Rounding.NATURAL:
            return (product + self._half) >> self.shift
        return np.sign(product) * (np.abs(product) >> self.shift)

    def _double(self, values: IntArray) -> IntArray:
        high = ((values << self._left) * self.scale + (1 << 30)) >> 31
        if not self._is_right.any():
            return high
        away = (high < 0) * self._is_right
        return (high + self._half_right - away) >> self._right

    def _exactly(self, values: IntArray) -> IntArray:
        """Return scaled values by Python's integers, which do not overflow."""
        wide, scale, shift = np.broadcast_arrays(values, self.scale, self.shift)
        results = np.empty(wide.shape, np.int64)
        for place in np.ndindex(wide.shape):
            product = int(wide[place]) * int(scale[place])
            results[place] = _rounded(product, int(shift[place]), self.rounding)
        return results


def _rounded(product: int, shift: int, rounding: Rounding) -> int:
    """Return ``product / 2^shift`` as an integer of 64 bit."""
    if rounding is Rounding.TRUNCATE:
        sign = -1 if product < 0 else 1
        return sign * (abs(product) >> shift)
    half = (1 << shift) >> 1
    if rounding is Rounding.NATURAL:
        return (product + half) >> shift
    left, right = max(31 - shift, 0), max(shift - 31, 0)
    high = ((product << left) + (1 << 30)) >> 31
    if not right:
        return high
    away = int(high < 0)
    return (high + (1 << right >> 1) - away) >> right
