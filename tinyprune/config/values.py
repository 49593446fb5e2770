"""Values of settings, read strictly: one reader per type that a field may be declared with.

Only text from the command line is parsed. Every error is one line that starts with the key.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinyprune.errors import UsageError


class Text(str):
    """A value from the command line, of the type of its key; empty is None where allowed."""


class Reader(ABC):
    """A reader of the values of one type."""

    @abstractmethod
    def read(self, value: Any, key: str) -> Any:
        """Return a value of the type. Raises UsageError, which names ``key``, for any other."""


@dataclass(frozen=True)
class Scalar(Reader):
    """A reader of texts, numbers or truth values.

    Attributes:
        expected: the values in words.
        conversions: type of a value -> the function that converts it, or raises ValueError.
    """

    expected: str
    conversions: Mapping[type, Callable[[Any], Any]]

    def read(self, value: Any, key: str) -> Any:
        """Return the value, converted."""
        convert = self.conversions.get(type(value), _refuse)
        try:
            return convert(value)
        except ValueError:
            raise UsageError(f"{key}: expected {self.expected}, got {value!r}") from None


def _refuse(value: Any) -> Any:
    """Raise ValueError: there is no conversion of the type of the value."""
    raise ValueError(value)


def _truth(text: str) -> bool:
    """Return the truth value that a text stands for. Raises ValueError."""
    return bool(("false", "true").index(text.lower()))


def _finite(number: str | float) -> float:
    """Return a number, or that of a text. Raises ValueError where it is not finite."""
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(number)
    return value


def _digits(number: float) -> str:
    """Return a number as text, 2e5 as "200000", also for the name of a variant."""
    if number.is_integer():
        return str(int(number))
    return str(number)


STRING = Scalar("a text", {str: str, Text: str})
TRUTH = Scalar("true or false", {bool: bool, Text: _truth})
INTEGER = Scalar("a whole number", {int: int, Text: int})
NUMBER = Scalar("a number", {int: float, float: _finite, Text: _finite})
#: Text that TOML may have as a number: 200000 cycles need no quotes.
TEXT_OF_NUMBER = Scalar("a text", {str: str, Text: str, int: str, float: _digits})


@dataclass(frozen=True)
class Optional(Reader):
    """A reader of values that may be None, which the command line writes as an empty text."""

    reader: Reader

    def read(self, value: Any, key: str) -> Any:
        """Return the value, or None."""
        is_empty = isinstance(value, Text) and not value
        if value is None or is_empty:
            return None
        return self.reader.read(value, key)


def read_each(reader: Reader, values: Sequence[Any], key: str) -> tuple[Any, ...]:
    """Return the values of a list, each of which has its number in its key."""
    return tuple(reader.read(value, f"{key}.{index}") for index, value in enumerate(values))


@dataclass(frozen=True)
class List(Reader):
    """A reader of lists of texts, numbers or truth values, also of text like "yes,no,up"."""

    reader: Reader

    def read(self, value: Any, key: str) -> tuple[Any, ...]:
        """Return the values as a tuple."""
        parts = value
        if isinstance(value, str):
            parts = [Text(part.strip()) for part in value.split(",") if part.strip()]
        if not isinstance(parts, list | tuple):
            raise UsageError(f'{key}: expected a list, [a, b] or "a,b", got {value!r}')
        return read_each(self.reader, parts, key)


class OneOrSeveral(Reader):
    """A reader of one text or a list of texts; a list of one is that text."""

    def read(self, value: Any, key: str) -> str | tuple[str, ...] | None:
        """Return the text, the texts, or None for an empty list."""
        if not isinstance(value, list | tuple):
            text: str = STRING.read(value, key)
            return text
        return one_or_several(read_each(STRING, value, key))


def one_or_several(texts: Sequence[str]) -> str | tuple[str, ...] | None:
    """Return the only text, all texts, each once, or None where there is none."""
    distinct = tuple(dict.fromkeys(texts))
    if len(distinct) > 1:
        return distinct
    return next(iter(distinct), None)


def each_of(value: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the texts of a value that is one, several or none."""
    if not value:
        return ()
    if isinstance(value, str):
        return (value,)
    return tuple(value)


class Pair(Reader):
    """A reader of two numbers, low and high, in a list of two or in text like "-6:9"."""

    def read(self, value: Any, key: str) -> tuple[float, float]:
        """Return the two numbers."""
        ends = value
        if isinstance(value, str):
            ends = [Text(end) for end in value.split(":")]
        if not isinstance(ends, list | tuple) or len(ends) != 2:
            raise UsageError(
                f'{key}: expected two numbers, [low, high] or "low:high", got {value!r}'
            )
        low, high = ends
        return NUMBER.read(low, key), NUMBER.read(high, key)
