"""Limits on what a network takes, each a number of one quantity, and whether Vela says that they are kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyprune.array_types import Float64Array
from tinyprune.artifacts.budget import BudgetRecord
from tinyprune.artifacts.quantity import LIMITED, LimitedQuantity
from tinyprune.artifacts.resources import ResourceReport
from tinyprune.config.budget import Budget
from tinyprune.errors import CheckFailed
from tinyprune.storage.records import read_json, write_json

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
        """A number of this quantity for a person."""
        return self.quantity.unit.format(value)

    @property
    def quantity(self) -> LimitedQuantity:
        """The quantity that is limited."""
        return LIMITED[self.name]


def limits_of(budget: Budget) -> tuple[Limit, ...]:
    """The limits that a budget sets."""
    limits = []
    for name, quantity in LIMITED.items():
        most = getattr(budget, quantity.option.field)
        if most is not None:
            limits.append(Limit(name, float(most)))
    return tuple(limits)


def measured(report: ResourceReport, limits: Sequence[Limit]) -> Float64Array:
    """What Vela says of each limited quantity, (limits,)."""
    return np.array([limit.quantity.of_report(report) for limit in limits], np.float64)


def over(limits: Sequence[Limit], values: Float64Array) -> Iterator[tuple[Limit, float]]:
    """The limits that are not kept, each with its value."""
    return (
        (limit, value) for limit, value in zip(limits, values, strict=True) if value > limit.most
    )


def shown(limits: Sequence[Limit], values: Float64Array) -> str:
    """``flash 71.2 KiB of 64 KiB, cycles 110 k of 100 k``."""
    pairs = zip(limits, values, strict=True)
    return ", ".join(
        f"{limit.name} {limit.show(value)} of {limit.show(limit.most)}" for limit, value in pairs
    )


def hold(folder: Path, report: ResourceReport) -> None:
    """Put what Vela says of a finished variant into its record, and hold it to its budget.

    Raises CheckFailed, saying how near it came, where a limit is not kept.
    """
    record = read_json(folder / RECORD, BudgetRecord)
    limits = [Limit(line.name, line.most) for line in record.lines]
    values = measured(report, limits)
    lines = (
        replace(line, measured=float(value))
        for line, value in zip(record.lines, values, strict=True)
    )
    write_json(folder / RECORD, replace(record, lines=tuple(lines)))
    if failed := [
        f"{one.name} is {value / one.most - 1:.1%} above it" for one, value in over(limits, values)
    ]:
        raise CheckFailed(
            f"{folder.name}: {shown(limits, values)} on {report.target.name}: {' and '.join(failed)}; "
            "the variant is kept: ask for a little less, or for more --epochs"
        )
