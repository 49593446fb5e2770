"""Facts of records that configurations share: what is recorded, the name of the baseline."""

from abc import ABC, abstractmethod
from typing import Any

#: The variant that all others of a run are made from.
BASELINE = "baseline"


class Recorded(ABC):
    """A dataclass that is recorded as a mapping of its own making, not field by field."""

    @abstractmethod
    def record(self) -> dict[str, Any]:
        """Return what is recorded, as plain JSON types."""

    @abstractmethod
    def default_record(self) -> dict[str, Any]:
        """Return what a record that lacks a key is completed with."""
