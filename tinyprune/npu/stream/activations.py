"""The functions of the output stage: sigmoid and tanh of 16 bit, and lookup tables.

Sigmoid and tanh take ``x * 3 * 4096`` and interpolate in one table, as TFLite's reference does:
``floor(65536 s - s'' / 16 + 0.5)`` with ``s = sigmoid(i / 24)`` and its second difference ``s''``.
"""

from enum import Enum
from functools import cache

import numpy as np

from tinyprune.array_types import IntArray

_ENTRIES = 256
_STEPS_PER_ONE = 24
_LAST_ENTRY = 65535


class Function(Enum):
    """A function of the output stage."""

    NONE = "none"
    TANH = "tanh"
    SIGMOID = "sigmoid"
    TABLE = "table"


@cache
def _table() -> IntArray:
    """Return the sigmoid of 0 to 255/24, times 65536."""

    def sigmoid(offset: int) -> np.ndarray:
        return 65536 / (1 + np.exp(-(np.arange(_ENTRIES) + offset) / _STEPS_PER_ONE))

    curvature = sigmoid(1) - 2 * sigmoid(0) + sigmoid(-1)
    table = np.floor(sigmoid(0) - curvature / 16 + 0.5).astype(np.int64)
    table[-1] = _LAST_ENTRY
    return table


def _interpolated(size: IntArray, bits: int, most: int) -> IntArray:
    """Return the table at ``size / 2^bits``, times 2^bits; ``most`` beyond its end."""
    place = size >> bits
    first = np.minimum(place, _ENTRIES - 2)
    low, high = _table()[first], _table()[first + 1]
    fraction = size & ((1 << bits) - 1)
    return np.where(place >= _ENTRIES - 1, most << bits, (low << bits) + fraction * (high - low))


def sigmoid(values: IntArray) -> IntArray:
    """Return ``32768 sigmoid(x)`` of ``values = 12288 x``."""
    result = _interpolated(np.abs(values), 9, 0x7FFF << 1)
    result = np.where(values >= 0, result + (1 << 9), (1 << 25) - result + (1 << 9) - 1)
    return result >> 10


def tanh(values: IntArray) -> IntArray:
    """Return ``32768 tanh(x)`` of ``values = 12288 x``, by ``tanh(x) = 2 sigmoid(2 x) - 1``."""
    result = _interpolated(np.abs(values), 8, 0xFFFF)
    result = np.where(values >= 0, result - (1 << 23), (1 << 23) - result - 1)
    return (result + (1 << 7)) >> 8


def by_table(values: IntArray, table: np.ndarray, is_sigmoid: bool) -> IntArray:
    """Return sigmoid or tanh by a table in memory, of ``values = 12288 x``.

    Its 512 entries are ``32768 tanh(i / 48)`` from i = -256 on, and the slope to the next one, in
    16 bit each; ``sigmoid(x) = (1 + tanh(x / 2)) / 2``.
    """
    bits = 9 if is_sigmoid else 8
    limited = np.clip(values, -256 << bits, (256 << bits) - 1)
    entries = table[(limited >> bits) + 256].astype(np.int64)
    start = (entries & 0xFFFF ^ 0x8000) - 0x8000
    slope = ((entries >> 16) ^ 0x8000) - 0x8000
    scaled = (start << bits) + slope * (limited & ((1 << bits) - 1))
    if is_sigmoid:
        return (scaled + (1 << 24) + (1 << 9) - (values < 0)) >> 10
    return (scaled + (1 << 7) - (values < 0)) >> 8


def look_up(values: IntArray, table: np.ndarray) -> IntArray:
    """Return the entries of a table of 256 for numbers from -128 (signed) or 0."""
    return table[values].astype(np.int64)


def interpolate(values: IntArray, table: np.ndarray) -> IntArray:
    """Return the values of a table of 512 for numbers of 16 bit.

    An entry (uint32) has the value in its low and the slope in its high half, both signed; between
    the entries, 128 numbers apart, ``value + (slope * rest + 64) / 128``.
    """
    entries = table[(values + 32768) >> 7].astype(np.int64)
    slope = entries.astype(np.int32) >> 16
    value = (entries & 0xFFFF).astype(np.uint16).astype(np.int16).astype(np.int64)
    return value + ((slope.astype(np.int64) * (values & 0x7F) + 64) >> 7)
