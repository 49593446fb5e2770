"""Budgets for a terminal: the limits that variants keep, and the way of a network to its budget."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tinyprune.artifacts.budget import BudgetRecord
from tinyprune.report.model.budget_gate import HEAVIEST, Verdict, format_limit
from tinyprune.report.model.budget_history import UNIT_HEADS, budget_history
from tinyprune.report.render.terminal import columns, wrapped

_NAME_WIDTH = 32


def format_budget(record: BudgetRecord) -> RenderableType:
    """Return the limits, then the units of every set, then the notes; at most 100 columns."""
    history = budget_history(record)
    limits = columns(*(head.replace("off at ", "off at\n") for head in history.heads))
    for cells in history.rows:
        limits.add_row(*cells)
    parts: list[RenderableType] = [limits, Text()]

    if history.sets:
        table = columns(*UNIT_HEADS)
        for units in history.sets:
            name, *numbers = units.cells
            table.add_row(wrapped(name, _NAME_WIDTH), *numbers)
        parts += [table, Text()]
    return Group(*parts, *map(Text, history.notes))


def format_verdicts(verdicts: Sequence[Verdict]) -> RenderableType:
    """Return a table per target of at most 100 columns: limit, value, what is over or to spare.

    Below it stands what weighs most.
    """
    by_target: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        by_target[verdict.target].append(verdict)

    parts: list[RenderableType] = []
    for target, several in by_target.items():
        parts.append(Text())
        parts.append(Text(f"budget on {target}", style="bold"))
        parts.append(_table(several))
        parts += _below(several)
    return Group(*parts[1:])


def _table(verdicts: Sequence[Verdict]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    longest = max(len(verdict.variant) for verdict in verdicts)
    width = min(20, max(7, longest))
    table.add_column(Text("variant"), overflow="fold", width=width)
    table.add_column(Text("budget"), no_wrap=True)
    table.add_column(Text("limit", justify="right"), justify="right", no_wrap=True)
    table.add_column(Text("value", justify="right"), justify="right", no_wrap=True)
    table.add_column(Text("verdict"), no_wrap=True)
    for verdict in verdicts:
        table.add_row(
            Text(verdict.variant),
            verdict.what,
            format_limit(verdict.limit, verdict.quantity.unit, "{} = {}"),
            verdict.format(verdict.value),
            _verdict_text(verdict),
        )
    return table


def _verdict_text(verdict: Verdict) -> Text:
    """Words as well as colour, so that neither a pipe nor a colour-blind reader loses anything."""
    return Text(verdict.in_words, style="green" if verdict.holds else "bold red")


def _below(verdicts: Sequence[Verdict]) -> Iterator[Text]:
    """Say what weighs most in what is over, and what values leave out; the same is said once."""
    labels: dict[tuple[str, str], list[str]] = defaultdict(list)
    for verdict in verdicts:
        if not verdict.holds and verdict.heaviest:
            most = f"most weighs {verdict.format_heaviest(HEAVIEST)}"
            labels[verdict.variant, most].append(verdict.what)
        if verdict.note:
            labels[verdict.variant, verdict.note].append(verdict.what)

    for (variant, sentence), several in labels.items():
        yield Text(f"{variant}, {' and '.join(several)}: {sentence}")
