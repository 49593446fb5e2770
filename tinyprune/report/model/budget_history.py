"""The way of a network to its budget: limits, units that are left, what Vela said."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import NamedTuple

from tinyprune.artifacts.budget import BudgetRecord
from tinyprune.artifacts.quantity import LIMITED
from tinyprune.artifacts.resources import ratio
from tinyprune.report.model.budget_gate import format_limit
from tinyprune.report.model.number_text import shown_error, shown_factor, shown_number
from tinyprune.report.model.record import VariantRecord
from tinyprune.report.model.wording import listed

TITLE = "Pruned to a budget"
UNIT_HEADS = ("units", "left", "share")

_HEADS = ("budget", "at most", "before", "now", "factor", "used")
_ERROR_HEADS = ("off at first", "off at last")


class RemainingUnits(NamedTuple):
    """The units of one set.

    Attributes:
        name: of the set.
        left: how many are left. before: how many there were.
    """

    name: str
    left: int
    before: int

    @property
    def cells(self) -> tuple[str, str, str]:
        """Name, "16 of 64" and "25%" for a table."""
        share = self.left / max(1, self.before)
        return self.name, f"{self.left} of {self.before}", f"{share:.0%}"


@dataclass(frozen=True)
class BudgetHistory:
    """The words and numbers of a report about one budget.

    Attributes:
        variant: its name.
        heads: of the columns of ``rows``. rows: one per limit, ready to be shown; the first cell is
            its name.
        sets: the units of every set. notes: the rest, in sentences.
    """

    variant: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    sets: tuple[RemainingUnits, ...]
    notes: tuple[str, ...]


def budget_history(record: BudgetRecord, variant: str = "") -> BudgetHistory:
    """Return the budget of one variant in words and numbers."""
    sets = zip(record.sets, units_left(record), record.whole, strict=True)
    return BudgetHistory(
        variant=variant,
        heads=_HEADS + _ERROR_HEADS if record.compilations else _HEADS,
        rows=tuple(_cells(record, index) for index in range(len(record.lines))),
        sets=tuple(starmap(RemainingUnits, sets)),
        notes=(*_removals(record), *_sources(record)),
    )


def budget_histories(variants: Sequence[VariantRecord]) -> list[BudgetHistory]:
    """Return the histories of the variants that were pruned to a budget."""
    return [budget_history(one.budget, one.name) for one in variants if one.budget]


def units_left(record: BudgetRecord) -> tuple[int, ...]:
    """Return the units of every set after the last removal."""
    if record.removals:
        return record.removals[-1].left
    return record.whole


def _cells(record: BudgetRecord, index: int) -> tuple[str, ...]:
    """The row of one limit."""
    line = record.lines[index]
    unit = LIMITED[line.name].unit
    now = line.now
    used = shown_number(ratio(now, line.most), "{:.1%}".format)
    return (
        line.name,
        format_limit(line.most, unit, "{} = {}"),
        unit.format_exact(line.before),
        unit.format_exact(now),
        shown_factor(ratio(line.before, now)),
        f"{used} OVER" if now > line.most else used,
        *_errors(record, index),
    )


def _errors(record: BudgetRecord, index: int) -> Iterator[str]:
    """The errors of the first and the last expectation of one limit."""
    if not record.compilations:
        return
    for compilation in (record.compilations[0], record.compilations[-1]):
        factor = ratio(compilation.expected[index], compilation.measured[index])
        yield shown_error(None if factor is None else factor - 1)


def _removals(record: BudgetRecord) -> Iterator[str]:
    """In how many steps units went."""
    left = sum(units_left(record))
    before = sum(record.whole)
    epochs = [str(removal.epoch) for removal in record.removals]
    if epochs:
        steps = "one step, after epoch"
        if len(epochs) > 1:
            steps = f"{len(epochs)} steps, after epochs"
        yield (
            f"{left} of {before} units are left; the others were removed in {steps} "
            f"{listed(epochs)}."
        )
    elif before:
        yield f"No unit was removed: all {before} are left."


def _sources(record: BudgetRecord) -> Iterator[str]:
    """The source of the figures, in a sentence."""
    if record.target is None:
        yield "before, now: counted in the network itself."
    elif any(line.measured is None for line in record.lines):
        yield f"now: expected for {record.target}; Vela has not measured the finished network."
    else:
        yield f"before, now: measured by Vela for {record.target}."

    count = len(record.compilations)
    if count:
        times = "once"
        if count > 1:
            times = f"{count} times"
        yield (
            f"off: what was expected over what Vela said, minus 1; it was asked {times} while the "
            "network trained."
        )
