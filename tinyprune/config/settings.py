"""Settings: the fields of a configuration, each with its meaning, rule and command-line option.

A field is declared once, with :func:`setting`. Recipes, ``--set``, options, help texts and checks
follow from it.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any, Protocol

from tinyprune.errors import UsageError
from tinyprune.registry import Registry
from tinyprune.units import parse_bytes

Complaint = tuple[str, str]  # a key, and what is wrong with it


class Checked(Protocol):
    """A check on the value of a setting."""

    def check(self, value: Any, key: str) -> None:
        """Raise UsageError, which may name the key, for a value that is wrong."""


@dataclass(frozen=True)
class Rule:
    """A rule on a value that is not None.

    Attributes:
        accepts: tells whether a value is right.
        expected: the right values in words, as the end of "expected ...".
    """

    accepts: Callable[[Any], bool]
    expected: str

    def check(self, value: Any, key: str) -> None:
        """Raise UsageError, which names the key, for a value that is wrong."""
        if value is not None and not self.accepts(value):
            raise UsageError(f"{key}: expected {self.expected}, got {value}")


@dataclass(frozen=True)
class NameRule:
    """The rule that a value is a name in a registry."""

    registry: Registry

    def check(self, value: str | None, key: str) -> None:
        """Raise UsageError with the closest name for one that does not exist; None is fine."""
        if value is not None:
            self.registry.check(value)


@dataclass(frozen=True)
class SizeRule:
    """The rule that a text is a size above 0 with its unit."""

    def check(self, value: str | None, key: str) -> None:
        """Raise UsageError, which names the key, for a text that is none."""
        if value is None:
            return
        try:
            count = parse_bytes(value)
        except UsageError as error:
            raise UsageError(f"{key}: {error}") from error
        if count < 1:
            raise UsageError(f"{key}: expected a size above 0, e.g. 64KiB, got {value}")


@dataclass(frozen=True)
class NamedRule:
    """The rule of a text that holds one value, or one for each name: ``kind=focal,box=huber``.

    Attributes: of_each: the rule of a value.
    """

    of_each: Checked

    def check(self, value: str | None, key: str) -> None:
        """Raise UsageError, which names the key, for a value that is wrong, or has no name."""
        if value is None:
            return
        if "=" not in value:
            self.of_each.check(value, key)
            return
        for one in named_values(value, key).values():
            self.of_each.check(one, key)


def named_values(text: str, key: str) -> dict[str, str]:
    """Return the values of ``name=value,name=value`` by their names.

    Raises UsageError, which names the key, for anything else, and for a name that is there twice.
    """
    values: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name and equals and value) or name in values:
            raise UsageError(f"{key}: expected NAME=VALUE,..., each name once, got {text}")
        values[name] = value
    return values


ANY = Rule(lambda value: True, "anything")
#: Of epochs, steps, examples in a batch: more is a slip of the finger.
MOST = 1_000_000
LARGEST_SEED = 2**32 - 1  # of NumPy and Keras
COUNT = Rule(lambda value: 1 <= value <= MOST, f"at least 1, at most {MOST}")
POSITIVE = Rule(lambda value: value > 0, "more than 0")
SEED = Rule(lambda value: 0 <= value <= LARGEST_SEED, f"at least 0, at most {LARGEST_SEED}")
SPARSITY = Rule(lambda value: 0 <= value < 1, "a fraction in [0, 1), e.g. 0.8")


QUICK_PART = 5  # of the epochs, one in so many is left
_FEWEST_QUICK = 2


def quick_epochs(epochs: int) -> int:
    """Return a fifth of a number of epochs, 2 at least, for a first look at a result."""
    return min(epochs, max(_FEWEST_QUICK, round(epochs / QUICK_PART)))


def one_of(names: Sequence[str]) -> Rule:
    """Return the rule that a value is one of these names."""
    return Rule(lambda value: value in names, f"one of: {', '.join(names)}")


@dataclass(frozen=True)
class Option:
    """The command-line option of a setting.

    Attributes:
        flag: as one types it, e.g. "--snr".
        kind: the kind of its value, a name of ``tinyprune.cli.values.KINDS``.
        metavar: the value in the help; empty: that of its kind.
    """

    flag: str
    kind: str = "text"
    metavar: str = ""


@dataclass(frozen=True)
class Setting:
    """Facts of a field beside its name, type and default.

    Attributes:
        help: what it is, in full sentences.
        option: its command-line option; None where only recipes and ``--set`` have it.
        rule: what its value must be.
        is_place: whether it is a folder or a file, which a recipe gives relative to itself.
        is_text_of_number: whether it holds text that may be written as a number in TOML.
        instead: what other configurations of its family have instead of it.
        absent: its value in the records of configurations that do not have it; None: the default.
    """

    help: str
    option: Option | None = None
    rule: Checked = ANY
    is_place: bool = False
    is_text_of_number: bool = False
    instead: str = ""
    absent: Any = None


def setting(default: Any, help: str, **facts: Any) -> Any:
    """Return a dataclass field with its facts; ``facts`` are those of :class:`Setting`."""
    return dataclasses.field(default=default, metadata={"setting": Setting(help, **facts)})


def setting_of(field: "dataclasses.Field[Any]") -> Setting:
    """Return the facts of a field; a field without any has no rule and no option."""
    facts: Setting = field.metadata.get("setting", Setting(""))
    return facts


def is_needed(field: "dataclasses.Field[Any]") -> bool:
    """Return whether a field has no default."""
    return (field.default, field.default_factory) == (dataclasses.MISSING, dataclasses.MISSING)


def absent_value(field: "dataclasses.Field[Any]") -> Any:
    """Return the value of a field in the records of configurations that do not have it."""
    return setting_of(field).absent or field.default


@dataclass(frozen=True)
class Config:
    """Base of all configurations, which are frozen dataclasses."""

    def complaints(self) -> list[Complaint]:
        """Return what is wrong between values that are right each by itself."""
        return []

    def record(self) -> dict[str, Any]:
        """Return the configuration as plain JSON types."""
        return {name: plain(value) for name, value in vars(self).items()}


def plain(value: Any) -> Any:
    """Return a value of a configuration as plain JSON types."""
    if isinstance(value, Config):
        return value.record()
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return value


def shown(value: Any) -> str:
    """Return a default as one would type it; nothing and an empty list are empty."""
    show = _SHOWN.get(type(value), str)
    return show(value)


def _shown_number(number: float) -> str:
    """Return a number with the digits that it needs."""
    return f"{number:g}"


#: Type of a default -> the function that writes it.
_SHOWN: dict[type, Callable[[Any], str]] = {
    NoneType: lambda nothing: "",
    bool: lambda is_so: "yes" if is_so else "no",
    float: _shown_number,
    tuple: lambda ends: ":".join(map(_shown_number, ends)),
}
