"""How a network that was pruned to a budget came to keep it: every limit, the units that are left, and Vela's word."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from tinyprune.artifacts.budget import BudgetLine, BudgetRecord
from tinyprune.report.model.budget_gate import shown_amount, shown_limit
from tinyprune.report.model.predictions import shown_error
from tinyprune.report.model.record import VariantRecord
from tinyprune.report.model.summary import ratio
from tinyprune.report.render.terminal import NONE, columns, shown_factor, wrapped

TITLE = "Pruned to a budget"
UNIT_HEADS = ("units", "left", "share")

_UNITS = {
    "flash": "bytes",
    "SRAM": "bytes",
    "latency": "seconds",
}  # of the others the name is the unit
_HEADS, _OFF = (
    ("budget", "at most", "before", "now", "factor", "used"),
    ("off at first", "off at last"),
)
_NAME_WIDTH = 32


@dataclass(frozen=True)
class Told:
    """What a report says of one budget.

    Attributes:
        heads: of the columns of ``rows``. rows: one per limit, ready to be shown; the first cell is
            its name.
        sets: (name of a set of units, how many are left, how many there were). notes: the rest, in
            sentences.
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    sets: tuple[tuple[str, int, int], ...]
    notes: tuple[str, ...]

    @property
    def units(self) -> list[tuple[str, str, str]]:
        """(set, "16 of 64", "25%") of every set."""
        return [
            (name, f"{left} of {whole}", f"{left / max(1, whole):.0%}")
            for name, left, whole in self.sets
        ]


def told(record: BudgetRecord) -> Told:
    """The budget of one variant, in words and numbers."""
    heads = _HEADS + (_OFF if record.compilations else ())
    rows = tuple(
        (*_cells(line), *_errors(record, index)) for index, line in enumerate(record.lines)
    )
    sets = tuple(zip(record.sets, units_left(record), record.whole, strict=True))
    return Told(heads, rows, sets, (*_removals(record), *_sources(record)))


def by_variant(variants: Sequence[VariantRecord]) -> list[tuple[str, Told]]:
    """(variant, what is said of its budget) of those that have one."""
    return [(variant.name, told(variant.budget)) for variant in variants if variant.budget]


def units_left(record: BudgetRecord) -> tuple[int, ...]:
    """Units of every set after the last removal."""
    return record.removals[-1].left if record.removals else record.whole


def format_budget(record: BudgetRecord) -> RenderableType:
    """The limits, then the units of every set, then the notes; at most 100 columns."""
    found = told(record)
    limits, sets = (
        columns(*(head.replace("off at ", "off at\n") for head in found.heads)),
        columns(*UNIT_HEADS),
    )
    for cells in found.rows:
        limits.add_row(*cells)
    for name, *numbers in found.units:
        sets.add_row(wrapped(name, _NAME_WIDTH), *numbers)
    units: list[RenderableType] = [sets, Text()] if found.sets else []
    return Group(limits, Text(), *units, *map(Text, found.notes))


def _cells(line: BudgetLine) -> tuple[str, ...]:
    unit, now = _UNITS.get(line.name, line.name), _now(line)
    share, over = ratio(now, line.most), " OVER" if now > line.most else ""
    amounts = [
        shown_limit(line.most, unit, "{} = {}"),
        shown_amount(line.before, unit),
        shown_amount(now, unit),
    ]
    near = NONE if share is None else f"{share:.1%}"
    return line.name, *amounts, shown_factor(ratio(line.before, now)), near + over


def _now(line: BudgetLine) -> float:
    return line.expected if line.measured is None else line.measured


def _errors(record: BudgetRecord, index: int) -> Iterator[str]:
    """How far the first and the last expectation of one limit was off."""
    for one in (record.compilations[0], record.compilations[-1]) if record.compilations else ():
        off = ratio(one.expected[index], one.measured[index])
        yield shown_error(None if off is None else off - 1)


def _removals(record: BudgetRecord) -> Iterator[str]:
    """In how many steps units went."""
    left, whole, epochs = (
        sum(units_left(record)),
        sum(record.whole),
        [str(one.epoch) for one in record.removals],
    )
    if epochs:
        steps = f"{len(epochs)} steps, after epochs" if len(epochs) > 1 else "one step, after epoch"
        yield f"{left} of {whole} units are left; the others were removed in {steps} {_listed(epochs)}."
    elif whole:
        yield f"No unit was removed: all {whole} are left."


def _sources(record: BudgetRecord) -> Iterator[str]:
    """Who says what the network takes."""
    if record.target is None:
        yield "before, now: counted in the network itself."
    elif any(line.measured is None for line in record.lines):
        yield f"now: expected for {record.target}; Vela has not measured the finished network."
    else:
        yield f"before, now: measured by Vela for {record.target}."
    if times := len(record.compilations):
        asked = f"{times} times" if times > 1 else "once"
        yield f"off: what was expected over what Vela said, minus 1; it was asked {asked} while the network trained."


def _listed(words: Sequence[str]) -> str:
    """``6, 7 and 8``."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
