"""Limits on what a network takes, each a number of one quantity, and whether Vela says that they are kept."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyprune.array_types import Float64Array
from tinyprune.artifacts.budget import BudgetRecord
from tinyprune.artifacts.resources import ResourceReport
from tinyprune.config.budget import Budget
from tinyprune.errors import CheckFailed
from tinyprune.storage.records import read_json, write_json
from tinyprune.units import format_bytes, format_count, format_seconds

RECORD = "budget.json"  # of a variant that was pruned to a budget
#: What is limited -> field of Budget, of ResourceReport, and how a number of it is shown.
QUANTITIES: dict[str, tuple[str, str, Callable[[float], str]]] = {
    "flash": ("flash_bytes", "flash_bytes", format_bytes),
    "SRAM": ("sram_bytes", "sram_bytes", format_bytes),
    "MACs": ("macs", "macs", format_count),
    "cycles": ("cycles", "cycles", format_count),
    "latency": ("seconds", "inference_seconds", format_seconds),
}


@dataclass(frozen=True)
class Limit:
    """One limit. Attributes: name, of QUANTITIES; most: the most that is allowed, in bytes, cycles, seconds or MACs."""

    name: str
    most: float

    def show(self, value: float) -> str:
        """A number of this quantity for a person."""
        return QUANTITIES[self.name][2](value)


def limits_of(budget: Budget) -> tuple[Limit, ...]:
    """The limits that a budget sets."""
    found = ((name, getattr(budget, field)) for name, (field, _, _) in QUANTITIES.items())
    return tuple(Limit(name, float(most)) for name, most in found if most is not None)


def measured(report: ResourceReport, limits: Sequence[Limit]) -> Float64Array:
    """What Vela says of each limited quantity, (limits,)."""
    return np.array([getattr(report, QUANTITIES[limit.name][1]) for limit in limits], np.float64)


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
