"""Limits on what a network takes, each on one quantity, and the check that Vela keeps them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyprune.array_types import Float64Array
from tinyprune.artifacts.budget import BudgetRecord
from tinyprune.artifacts.quantity import LIMITED, LimitedQuantity
from tinyprune.artifacts.resources import ResourceReport
from tinyprune.config.budget import Budget
from tinyprune.errors import CheckFailed
from tinyprune.storage.digests import read_sealed_as, write_sealed

RECORD = "budget.json"  # of a variant that was pruned to a budget


@dataclass(frozen=True)
class Limit:
    """The most that a network may take of one quantity.

    Attributes:
        name: label of the quantity (quantity.LIMITED).
        most: in its unit: bytes, cycles, seconds or MACs.
    """

    name: str
    most: float

    def show(self, value: float) -> str:
        """Return a number of this quantity for a person."""
        return self.quantity.unit.format(value)

    @property
    def quantity(self) -> LimitedQuantity:
        """The quantity that is limited."""
        return LIMITED[self.name]


def budget_limits(budget: Budget) -> tuple[Limit, ...]:
    """Return the limits that a budget sets."""
    limits = []
    for name, quantity in LIMITED.items():
        most = getattr(budget, quantity.option.field)
        if most is not None:
            limits.append(Limit(name, float(most)))
    return tuple(limits)


def measured(report: ResourceReport, limits: Sequence[Limit]) -> Float64Array:
    """Return Vela's figures of the limited quantities, (limits,)."""
    return np.array([limit.quantity.of_report(report) for limit in limits], np.float64)


def exceeded(limits: Sequence[Limit], values: Float64Array) -> list[tuple[Limit, float]]:
    """Return the limits that are not kept, each with its value."""
    pairs = zip(limits, values, strict=True)
    return [(limit, value) for limit, value in pairs if value > limit.most]


def limits_text(limits: Sequence[Limit], values: Float64Array) -> str:
    """Return ``flash 71.2 KiB of 64 KiB, cycles 110 k of 100 k``."""
    parts = []
    for limit, value in zip(limits, values, strict=True):
        parts.append(f"{limit.name} {limit.show(value)} of {limit.show(limit.most)}")
    return ", ".join(parts)


def hold_to_budget(folder: Path, report: ResourceReport) -> None:
    """Put Vela's figures for a finished variant into its record, and check them.

    Raises CheckFailed, saying how near it came, where a limit is not kept.
    """
    record = read_sealed_as(folder / RECORD, BudgetRecord, f"put it back, or delete {folder}")
    limits = [Limit(line.name, line.most) for line in record.lines]
    values = measured(report, limits)
    lines = []
    for line, value in zip(record.lines, values, strict=True):
        lines.append(replace(line, measured=float(value)))
    write_sealed(folder / RECORD, replace(record, lines=tuple(lines)))

    complaints = []
    for limit, value in exceeded(limits, values):
        complaints.append(f"{limit.name} is {value / limit.most - 1:.1%} above it")
    if complaints:
        raise CheckFailed(
            f"{folder.name}: {limits_text(limits, values)} on {report.target.name}: "
            f"{' and '.join(complaints)}; "
            "the variant is kept: ask for a little less, or for more --epochs"
        )
