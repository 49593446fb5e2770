"""Kinds of values that options take: how the text is read, and what is said where it cannot be."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tinyprune.config.settings import LARGEST_SEED, MOST
from tinyprune.errors import UsageError

INFINITY = float("inf")
FULL_16_BIT_DB = 100  # beyond it, 16 bits hold only one of speech and noise


class Parsed(click.ParamType):
    """A value whose text one function reads; on ValueError: ``--option TEXT: expected ...``."""

    def __init__(self, name: str, parse: Callable[[str], Any], expected: str) -> None:
        self.name = name
        self.parse = parse
        self.expected = expected

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value that the text stands for. Raises UsageError."""
        if not isinstance(value, str):
            return value
        try:
            return self.parse(value)
        except ValueError:
            option = param.opts[-1] if param else self.name
            raise UsageError(f"{option} {value}: expected {self.expected}") from None


def number(accepts: Callable[[float], bool]) -> Callable[[str], float]:
    """Return a parser of the numbers that ``accepts`` accepts; it raises ValueError on others."""

    def parse(text: str) -> float:
        value = float(text)
        if not accepts(value):
            raise ValueError
        return value

    return parse


def whole_number(name: str, least: int, most: int) -> Parsed:
    """Return the type of whole numbers in a range."""

    def parse(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise ValueError
        return value

    return Parsed(name, parse, f"a whole number of at least {least}, at most {most}")


class NamedPath(click.Path):
    """A path that is not empty: an empty one would be the folder here."""

    def __init__(self, expected: str, *, is_folder: bool = True, is_file: bool = True) -> None:
        super().__init__(dir_okay=is_folder, file_okay=is_file, path_type=Path)
        self.expected = expected

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path. Raises UsageError for an empty one."""
        if value == "":
            raise UsageError(f"{_spoken(param)} is empty: expected {self.expected}")
        return super().convert(value, param, ctx)


def _spoken(param: click.Parameter | None) -> str:
    """Return what a person calls an option, --output, or an argument, MODEL.tflite."""
    if param is None:
        return "a path"
    if isinstance(param, click.Argument):
        return (param.metavar or param.opts[0].upper()).strip("[].")
    return max(param.opts, key=len)


def _range(text: str) -> tuple[float, float]:
    """Return ``LO:HI`` as two finite numbers in order. Raises ValueError."""
    finite = number(lambda value: abs(value) < INFINITY)
    low, high = (finite(end) for end in text.split(":"))
    if low > high:
        raise ValueError
    return low, high


def _levels(text: str) -> tuple[float, ...]:
    """Return ``-5,0,5`` as it is, ``-6:9`` in equal steps. Raises ValueError."""
    if ":" in text:
        from tinyprune.data.speech.fixed_mixtures import snr_steps

        levels = tuple(snr_steps(_range(text)))
    else:
        levels = tuple(float(part) for part in text.split(","))
    is_repeated = len(set(levels)) < len(levels)
    if is_repeated or not all(abs(level) <= FULL_16_BIT_DB for level in levels):
        raise ValueError
    return levels


def _fractions(text: str) -> tuple[float, ...]:
    """Return ``0.5,0.8``, fractions in [0, 1), each above the one before. Raises ValueError."""
    fraction = number(lambda value: 0 <= value < 1)
    levels = tuple(fraction(part) for part in text.split(","))
    if list(levels) != sorted(set(levels)):
        raise ValueError
    return levels


def _attenuation(text: str) -> float:
    """Return ``15dB`` or ``15`` as a number above 0. Raises ValueError."""
    plain = text.strip().lower().removesuffix("db").strip()
    return number(lambda value: 0 < value < INFINITY)(plain)


FRACTIONS = Parsed(
    "fraction", _fractions, "a fraction in [0, 1), e.g. 0.8, or several that grow, e.g. 0.5,0.7,0.8"
)
MOMENT = Parsed(
    "moment",
    number(lambda value: 0 <= value < INFINITY),
    "a fraction of the training up to 1, or a step",
)
COUNT = whole_number("count", 1, MOST)
NUMBER = whole_number("number", 0, MOST)
SEED = whole_number("seed", 0, LARGEST_SEED)
RATE = whole_number("rate", 1000, 768_000)  # Hz
POSITIVE = Parsed("number", number(lambda value: 0 < value < INFINITY), "a number above 0")
DECIBELS = Parsed("lo:hi", _range, "a range LO:HI in dB with LO <= HI, e.g. -6:9")
FACTORS = Parsed("lo:hi", _range, "a range LO:HI of factors with LO <= HI, e.g. 0.9:1.1")
LEVELS = Parsed(
    "levels",
    _levels,
    "a range such as -6:9 or levels such as -5,0,5, each once, from -100 to 100 dB",
)
ATTENUATION = Parsed("dB", _attenuation, "decibels above 0, e.g. 15dB or 15")
COLOUR = Parsed("dB", number(lambda value: 0 <= value <= 24), "decibels from 0 to 24, e.g. 6")
ROOMS = whole_number("rooms", 0, 10_000)
SHARE = Parsed("share", number(lambda value: 0 <= value <= 1), "a fraction in [0, 1], e.g. 0.2")
SECONDS = Parsed(
    "seconds", number(lambda value: 0.1 <= value <= 3600), "a number of seconds from 0.1 to 3600"
)
LIST = Parsed("list", lambda text: text.split(","), "names with commas between them")
PATH = click.Path(exists=True, resolve_path=True)
FOLDER = click.Path(file_okay=False, exists=True, resolve_path=True)
_HERE = "a folder, . is the one here"
PLACE = NamedPath(_HERE)
OUT_FOLDER = NamedPath(_HERE, is_file=False)
RUN_FOLDER = NamedPath(_HERE, is_file=False)
FILE = NamedPath("a file", is_folder=False)


@dataclass(frozen=True)
class Kind:
    """A kind of value.

    Attributes:
        type: the click type; None: any text.
        metavar: the value in the help.
        is_repeatable: whether the option may be given several times.
    """

    type: click.ParamType | None = None
    metavar: str = ""
    is_repeatable: bool = False


#: The kinds that a setting names (``tinyprune.config.settings.Option.kind``).
KINDS = {
    "text": Kind(),
    "texts": Kind(is_repeatable=True),
    "list": Kind(LIST, "A,B,..."),
    "folder": Kind(FOLDER, "DIR"),
    "folders": Kind(FOLDER, "DIR", is_repeatable=True),
    "path": Kind(PATH, "PATH"),
    "file": Kind(FILE, "FILE"),
    "count": Kind(COUNT, "N"),
    "number": Kind(NUMBER, "N"),
    "seed": Kind(SEED, "N"),
    "positive": Kind(POSITIVE, "X"),
    "share": Kind(SHARE, "X"),
    "moment": Kind(MOMENT, "X"),
    "attenuation": Kind(ATTENUATION, "DB"),
    "colour": Kind(COLOUR, "DB"),
    "rooms": Kind(ROOMS, "N"),
    "decibels": Kind(DECIBELS, "LO:HI"),
    "factors": Kind(FACTORS, "LO:HI"),
    "ladder": Kind(FRACTIONS, "FRACTION[,...]", is_repeatable=True),
    "limit": Kind(None, "X", is_repeatable=True),
    "limit of operators": Kind(NUMBER, "N", is_repeatable=True),
    "switch": Kind(),
}
