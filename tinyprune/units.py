"""Units at the border of the program: parsing what people write, printing what they read.

Inside the program every number carries its unit in its name (``flash_bytes``,
``inference_seconds``). KiB is 1024 bytes, kB is 1000 bytes; they are never mixed, and what can be
read as either is refused.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from tinyprune.errors import UsageError

#: A number without a sign, then what should be its unit. Bounded, so that no text becomes a huge
#: integer.
_QUANTITY = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?(?:[eE][0-9]{1,2})?)\s*([^\W\d_]*)")


@dataclass(frozen=True)
class _Scale:
    """A kind of quantity: its units, and what else people write for them.

    Attributes:
        what: how errors call it, with its article.
        example: one that is right.
        units: unit -> its factor. meanings: unit -> the factor in words, for errors.
        readings: what is written in their place, in lower case -> the units that it could mean.
    """

    what: str
    example: str
    units: Mapping[str, int | Fraction]
    meanings: Mapping[str, str]
    readings: Mapping[str, tuple[str, ...]]

    def parse(self, text: str) -> Fraction:
        """The exact value of a text. Raises UsageError."""
        match = _QUANTITY.fullmatch(text.strip())
        if not match:
            raise self._refusal(text)
        number, unit = match.groups()
        if unit in self.units:
            return Fraction(number) * self.units[unit]
        readings = self.readings.get(unit.lower())
        if readings is None:
            raise self._refusal(text)
        complaint = "is not clear"
        if len(readings) > 1:
            complaint = "can be read in several ways"
        texts = [f"{number}{unit} ({self.meanings[unit]})" for unit in readings]
        raise UsageError(f"'{text}' {complaint}: write {' or '.join(texts)}")

    def _refusal(self, text: str) -> UsageError:
        units = ", ".join(unit for unit in self.meanings if unit)
        return UsageError(
            f"'{text}' is not {self.what}: expected a number with one of {units}, "
            f"e.g. {self.example}"
        )


_BYTES = _Scale(
    what="a size",
    example="100KiB",
    units={"B": 1, "kB": 1000, "MB": 1000**2, "KiB": 1024, "MiB": 1024**2},
    meanings={
        "B": "bytes",
        "kB": "1000 bytes each",
        "MB": "1000000 bytes each",
        "KiB": "1024 bytes each",
        "MiB": "1048576 bytes each",
    },
    readings={
        "": ("KiB", "kB", "B"),
        "b": ("B",),
        **dict.fromkeys(("k", "kb"), ("KiB", "kB")),
        **dict.fromkeys(("m", "mb"), ("MiB", "MB")),
        **dict.fromkeys(("ki", "kib"), ("KiB",)),
        **dict.fromkeys(("mi", "mib"), ("MiB",)),
    },
)
_COUNTS = _Scale(
    what="a number",
    example="200k",
    units={"": 1, "k": 1000, "M": 1000**2},
    meanings={"k": "1000 each", "M": "1000000 each"},
    readings={**dict.fromkeys(("k", "ki"), ("k",)), **dict.fromkeys(("m", "mi"), ("M",))},
)
_MILLI, _MICRO = Fraction(1, 1000), Fraction(1, 1000**2)
_SECONDS = _Scale(
    what="a time",
    example="16ms",
    # The micro sign of keyboards and the Greek letter look the same.
    units={"s": 1, "ms": _MILLI, "us": _MICRO, "\u00b5s": _MICRO, "\u03bcs": _MICRO},
    meanings={"s": "seconds", "ms": "thousandths of a second", "us": "millionths of a second"},
    readings={
        **dict.fromkeys(("", "m"), ("ms", "s")),
        **dict.fromkeys(("s", "sec", "second", "seconds"), ("s",)),
        **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), ("ms",)),
        **dict.fromkeys(("us", "usec", "microsecond", "microseconds"), ("us",)),
    },
)


def parse_bytes(text: str) -> int:
    """Return the bytes of a size with its unit, e.g. ``"100KiB"`` -> 102400, ``"9.3 kB"`` -> 9300.

    Raises UsageError for anything else; of what can be read in several ways ("100 kb", "64k",
    "100") it names them.
    """
    return round(_BYTES.parse(text))


def parse_count(text: str) -> int:
    """Return a whole number, maybe in thousands or millions, e.g. ``"200k"`` -> 200000, ``"1.5M"``.

    Raises UsageError for anything else, also for "200K" and "200ki", which could be multiples of
    1024.
    """
    count = _COUNTS.parse(text)
    if count.denominator != 1:
        raise UsageError(f"'{text}' is not a whole number: expected e.g. {_COUNTS.example}")
    return int(count)


def parse_seconds(text: str) -> float:
    """Return the seconds of a time with its unit, e.g. ``"16ms"`` -> 0.016, ``"500us"``, ``"1 s"``.

    Raises UsageError for anything else, also for a number without a unit.
    """
    return float(_SECONDS.parse(text))


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, which takes an s: ``1 target``, ``3 targets``."""
    ending = "s"
    if count == 1:
        ending = ""
    return f"{count} {noun}{ending}"


def format_bytes(count: float) -> str:
    """Return a size for a table, e.g. ``"124 kB"``.

    Bytes below 10 kB, else kB or MB (1000-based) with three digits.
    """
    if count < 10_000:
        return f"{count:.0f} B"
    if count < 1_000_000:
        return f"{count / 1000:.0f} kB"
    return f"{count / 1_000_000:.2f} MB"


def format_count(count: float) -> str:
    """Return a count for a table, e.g. ``"163 k"`` or ``"1.33 M"``."""
    if count < 10_000:
        return f"{count:.0f}"
    if count < 1_000_000:
        return f"{count / 1000:.0f} k"
    return f"{count / 1_000_000:.2f} M"


def format_seconds(seconds: float) -> str:
    """Return a duration for a person, e.g. ``"0.3 ms"``, ``"12.0 s"``, ``"3 min 20 s"``."""
    if seconds < 1:
        return f"{seconds * 1000:.2f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def format_latency(seconds: float) -> str:
    """A latency for a table: hundredths of a ms; below 1 ms three digits, e.g. ``"0.0123 ms"``."""
    if seconds >= 1e-3 or not seconds:
        return f"{1000 * seconds:.2f} ms"
    return f"{1000 * seconds:#.3g} ms"


def _exact_bytes(count: float) -> str:
    if count < 10_000:
        return f"{count:.0f} B"
    return f"{count / 1000:.1f} kB"


def _exact_count(count: float) -> str:
    if count < 10_000:
        return f"{count:.0f}"
    return f"{count / 1000:.1f} k"


def _exact_seconds(seconds: float) -> str:
    return f"{1000 * seconds:.4g} ms"


@dataclass(frozen=True)
class Unit:
    """A unit that costs are counted in, and how people write and read it.

    Attributes:
        name: as records have it, e.g. "bytes".
        format: a number for a table or a sentence, with three digits.
        format_exact: with one decimal more, so that what is just over a limit does not look like
            the limit itself.
        parse: the number of a text such as "100KiB"; None where people write a plain number.
    """

    name: str
    format: Callable[[float], str]
    format_exact: Callable[[float], str]
    parse: Callable[[str], float] | None = None


BYTES = Unit("bytes", format_bytes, _exact_bytes, parse_bytes)
CYCLES = Unit("cycles", format_count, _exact_count, parse_count)
MACS = Unit("MACs", format_count, _exact_count, parse_count)
SECONDS = Unit("seconds", format_seconds, _exact_seconds, parse_seconds)
OPERATORS = Unit("operators", format_count, _exact_count)
PARAMETERS = Unit("parameters", format_count, _exact_count)
FRACTION = Unit("", "{:.3f}".format, "{:.4f}".format)
