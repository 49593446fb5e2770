"""The splits of a data set, by name."""

from collections.abc import Mapping
from typing import TypeVar

from tinyprune.errors import UsageError

Split = TypeVar("Split")


def split_of(splits: Mapping[str, Split], name: str, advice: str) -> Split:
    """Return the split of that name.

    Raises UsageError that lists the splits, followed by ``advice``: how to have one of that name.
    """
    if name not in splits:
        raise UsageError(f"the data have no '{name}' split, only {', '.join(splits)}: {advice}")
    return splits[name]
