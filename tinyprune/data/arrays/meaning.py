"""The meaning of labels: classes, several labels, numbers, or nothing."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinyprune.errors import UsageError

AUTO = "auto"
CLASSES, LABELS, NUMBERS, INPUT = "classes", "labels", "numbers", "input"
FEW_VALUES = 20  # whole numbers as floats: as few may be classes


def meaning_of(y: np.ndarray | None, asked: str, name: str) -> str:
    """Return what labels mean: "classes", "labels", "numbers", or "input" where there are none.

    Args:
        y: labels of training examples, (n, ...); None: there are none.
        asked: what was asked for; "auto": as they look.
        name: of the array in messages.

    Raises:
        UsageError: they cannot mean what was asked for, or may mean either.
    """
    if y is not None and asked != INPUT:
        return _meaning(Look.at(y), asked, name)
    if asked in (INPUT, AUTO):
        return INPUT
    raise UsageError(
        f"{name} is missing, and --predict {asked} needs it: add it, or leave out --predict for "
        "an autoencoder"
    )


@dataclass(frozen=True)
class Look:
    """The look of labels.

    Attributes:
        shape, kind: of the array; kind as NumPy's dtypes have it.
        is_single: one per example, (n,) or (n, 1).
        is_binary: 0 and 1 only. is_whole: whole numbers only.
        values: how many different ones.
    """

    shape: tuple[int, ...]
    kind: str
    is_single: bool
    is_binary: bool
    is_whole: bool
    values: int

    @classmethod
    def at(cls, y: np.ndarray) -> "Look":
        """Return the look of labels."""
        is_single = y.ndim == 1 or y.shape[1:] == (1,)
        distinct = np.unique(y)
        is_binary = bool(np.isin(distinct, (0, 1)).all())
        is_whole = y.dtype.kind in "bui"
        if y.dtype.kind == "f":
            is_whole = bool(np.array_equal(distinct, np.round(distinct)))
        return cls(y.shape, y.dtype.kind, is_single, is_binary, is_whole, len(distinct))


def is_one_hot(y: np.ndarray) -> bool:
    """Return whether labels (n, k) have one 1 in each row, and 0 besides."""
    binary = np.isin(y, (0, 1)).all()
    return y.ndim == 2 and y.shape[1] > 1 and bool(binary and (y.sum(axis=1) == 1).all())


def _meaning(look: Look, asked: str, name: str) -> str:
    """Return the meaning of labels. Raises UsageError where they cannot have the one asked for."""
    if asked == AUTO:
        return _apparent(look, name)
    _check_possible(look, asked, name)
    return asked


def _apparent(look: Look, name: str) -> str:
    """Return what labels look like. Raises UsageError where that is not clear."""
    if look.is_single:
        return _apparent_single(look, name)
    return LABELS if _POSSIBLE[LABELS].accepts(look) else NUMBERS


def _apparent_single(look: Look, name: str) -> str:
    """Return what one label per example looks like. Raises UsageError where that is not clear."""
    if look.kind == "U":
        return CLASSES
    if _is_unclear(look):
        raise UsageError(
            f"{name} holds {look.values} different whole numbers in {look.shape[0]} examples: "
            "are they classes or numbers? give --predict classes or --predict numbers"
        )
    return NUMBERS if look.kind == "f" else CLASSES


def _is_unclear(look: Look) -> bool:
    """Return whether labels may be classes or numbers.

    So are few whole numbers as floats, and integers that are mostly different.
    """
    if look.kind == "f":
        return look.is_whole and look.values <= FEW_VALUES
    count = look.shape[0]
    return count > FEW_VALUES and 2 * look.values > count


def _check_possible(look: Look, asked: str, name: str) -> None:
    """Raise UsageError for labels that cannot be what was asked for."""
    rule = _POSSIBLE[asked]
    if not rule.accepts(look):
        found = f"{_KINDS[look.kind]} of shape {look.shape}"
        raise UsageError(f"{name} holds {found}: expected {rule.expected}")


@dataclass(frozen=True)
class _Rule:
    """A rule on the look of labels.

    Attributes:
        accepts: tells whether labels can have the meaning. expected: what can, in words.
    """

    accepts: Callable[[Look], bool]
    expected: str


#: Meaning -> the labels that may have it.
_POSSIBLE = {
    CLASSES: _Rule(
        lambda look: look.is_whole or look.kind == "U",
        "whole numbers or names, one per example; numbers of any kind are for --predict numbers",
    ),
    LABELS: _Rule(
        lambda look: look.is_binary and len(look.shape) == 2, "0 and 1 of shape (n, labels)"
    ),
    NUMBERS: _Rule(
        lambda look: look.kind in "buif", "numbers; names of classes are for --predict classes"
    ),
}
_KINDS = {
    "f": "floats",
    "U": "texts",
    "b": "truth values",
    "u": "whole numbers",
    "i": "whole numbers",
}
