"""Words that sentences and titles of a report share: lists of names, counts with their noun."""

from collections.abc import Sequence


def listed(words: Sequence[str]) -> str:
    """Return words in a row, at least one: ``6, 7 and 8``."""
    *others, last = words
    if not others:
        return last
    return f"{', '.join(others)} and {last}"


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, which takes an s: ``1 target``, ``3 targets``."""
    ending = "s"
    if count == 1:
        ending = ""
    return f"{count} {noun}{ending}"
