"""The report of a measurement: cases with samples, and figures that follow from them."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

WIDTH = 100


class Unavailable(Exception):
    """A measurement cannot run here; the message says what is missing."""


@dataclass(frozen=True)
class Case:
    """One thing that was measured. Attributes: what; unit; samples, in the order they were taken."""

    what: str
    unit: str
    samples: list[float]

    @property
    def median(self) -> float:
        """Median of the samples."""
        return statistics.median(self.samples)


@dataclass(frozen=True)
class Check:
    """A figure that follows from cases.

    Attributes:
        what, value, unit: the figure.
        limit: the value that it must not pass, or None if it is for information.
        at_least: True if the limit is a lower one.
    """

    what: str
    value: float
    unit: str = "x"
    limit: float | None = None
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """True where the limit, if there is one, is kept."""
        if self.limit is None:
            return True
        if self.at_least:
            return self.value >= self.limit
        return self.value <= self.limit


@dataclass(frozen=True)
class Report:
    """The result of a measurement. Attributes: cases; checks; notes, one sentence each."""

    cases: Sequence[Case]
    checks: Sequence[Check] = ()
    notes: Sequence[str] = field(default_factory=tuple)
