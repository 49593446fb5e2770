"""Numbers and texts as C source."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_COLUMNS = 12
_C_TYPES = {"float32": "float", "float64": "double"}


@dataclass(frozen=True)
class CConstant:
    """A number with a name. Attributes: name; text: in C; meaning: in words, or empty."""

    name: str
    text: str
    meaning: str = ""


@dataclass(frozen=True, eq=False)
class CArray:
    """A constant array of one axis.

    Attributes:
        name: without the prefix of the network.
        values: its numbers, of the type that they have in C.
        meaning: in words.
    """

    name: str
    values: np.ndarray
    meaning: str

    @property
    def length(self) -> int:
        """Number of its numbers."""
        return len(self.values)

    @property
    def c_type(self) -> str:
        """The type of a number in C."""
        return c_type(self.values)

    @property
    def bytes(self) -> int:
        """Bytes that it takes."""
        return int(self.values.nbytes)

    @property
    def text(self) -> str:
        """Its numbers as C source."""
        return c_numbers(self.values)


@dataclass(frozen=True, eq=False)
class CRows:
    """Golden numbers, a row per call. Attributes: name; rows: (calls, numbers)."""

    name: str
    rows: np.ndarray

    @property
    def length(self) -> int:
        """Numbers of a row."""
        return int(self.rows.shape[1])

    @property
    def c_type(self) -> str:
        """The type of a number in C."""
        return c_type(self.rows)


def c_type(values: np.ndarray) -> str:
    """Return the type of the numbers of an array in C."""
    return _C_TYPES.get(values.dtype.name, f"{values.dtype.name}_t")


def c_float(value: float) -> str:
    """Return a float32 number as C source that gives exactly it."""
    return f"{_with_point(f'{np.float32(value):.9g}')}f"


def c_double(value: float) -> str:
    """Return a float64 number as C source that gives exactly it."""
    return _with_point(f"{value:.17g}")


def c_string(text: str) -> str:
    """Return a text as a C string literal of plain ASCII."""
    escaped = ""
    for byte in text.encode():
        is_plain = 32 <= byte < 127 and chr(byte) not in '"\\?'
        escaped += chr(byte) if is_plain else f"\\{byte:03o}"
    return f'"{escaped}"'


def c_numbers(values: np.ndarray) -> str:
    """Return numbers as the inside of a C initialiser, lines of a dozen."""
    texts = _texts(values)
    lines = []
    for start in range(0, len(texts), _COLUMNS):
        lines.append(f"    {', '.join(texts[start : start + _COLUMNS])},")
    return "\n".join(lines)


def c_bytes(content: bytes) -> str:
    """Return bytes as the inside of a C initialiser."""
    return c_numbers(np.frombuffer(content, np.uint8))


def c_rows(rows: np.ndarray) -> str:
    """Return rows of numbers as the inside of a C initialiser of two axes."""
    parts = [f"    {{\n{c_numbers(row)}\n    }}," for row in rows]
    return "\n".join(parts)


def fnv(content: bytes) -> int:
    """Return Fowler, Noll and Vo's 32-bit hash (FNV-1a) of bytes."""
    value = 2166136261
    for byte in content:
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


def comment_text(text: str) -> str:
    """Return a text that can stand in a C comment, on one line."""
    return json.dumps(text)[1:-1].replace("*/", "* /").replace("/*", "/ *")


def _texts(values: np.ndarray) -> Sequence[str]:
    if values.dtype == np.float32:
        return [c_float(value) for value in values]
    if values.dtype == np.float64:
        return [c_double(value) for value in values]
    return [str(value) for value in values.tolist()]


def _with_point(text: str) -> str:
    """Return a number with a point or an exponent, so that it is none of integers."""
    if any(letter in text for letter in ".en"):
        return text
    return f"{text}.0"
