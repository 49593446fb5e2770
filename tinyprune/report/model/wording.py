"""Words that sentences and titles of a report share: lists of names."""

from collections.abc import Sequence


def listed(words: Sequence[str]) -> str:
    """Return words in a row, at least one: ``6, 7 and 8``."""
    *others, last = words
    if not others:
        return last
    return f"{', '.join(others)} and {last}"
