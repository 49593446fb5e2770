"""The splits of a data set, by name."""

from collections.abc import Mapping
from typing import TypeVar

from tinyprune.errors import UsageError

Part = TypeVar("Part")


def split_of(splits: Mapping[str, Part], name: str, advice: str) -> Part:
    """The split of that name. Raises UsageError that says which there are, and ``advice``: how to have it."""
    if name not in splits:
        raise UsageError(f"the data have no '{name}' split, only {', '.join(splits)}: {advice}")
    return splits[name]
