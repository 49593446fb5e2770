"""How a comparison is told: as a sentence, a table, CSV and JSON; as Markdown in markdown.py."""

import csv
import dataclasses
import io
import json
from typing import TYPE_CHECKING, Any

from tinyprune.artifacts.quantity import QUANTITIES
from tinyprune.errors import CheckFailed
from tinyprune.metrics.metric import metric_of
from tinyprune.report.model.comparison import MISSING, SAME, Comparison, MetricChange, VariantChange
from tinyprune.storage.records import to_jsonable
from tinyprune.units import format_bytes

if TYPE_CHECKING:
    from rich.console import RenderableType

_NONE = "-"
_NAMED = 3


def check(comparison: Comparison) -> None:
    """Raise CheckFailed that names what the policy does not allow, if there is any."""
    failing = [variant for variant in comparison.variants if variant.failures]
    if not failing:
        return
    named = [f"{one.title}: {', '.join(map(_failure, one.failures))}" for one in failing[:_NAMED]]
    more = f"; and {len(failing) - _NAMED} more" if len(failing) > _NAMED else ""
    raise CheckFailed(
        f"worse than the policy ({comparison.policy}) allows: {'; '.join(named)}{more}"
    )


def _failure(metric: MetricChange) -> str:
    if metric.verdict == MISSING:
        return f"{metric.metric} is missing"
    change = (
        show_change(metric)
        if metric.allowed_percent is None or not metric.before
        else show_percent(metric)
    )
    return f"{metric.metric} {change} (allowed {show_allowed(metric)})"


def show_value(metric: str, value: float | None) -> str:
    """A value of a metric for a table."""
    if value is None:
        return _NONE
    number = QUANTITIES.get(metric) or metric_of(metric)
    return number.format(value)


def show_change(change: MetricChange) -> str:
    """The difference of a metric with its sign, for a table."""
    if change.change is None or change.verdict == SAME:
        return _NONE
    shown = show_value(change.metric, abs(change.change))
    if not any(digit in shown for digit in "123456789"):  # a difference is never shown as none
        shown = f"{abs(change.change):.2g}"
    return ("-" if change.change < 0 else "+") + shown


def show_percent(change: MetricChange) -> str:
    """The difference in percent with its sign, for a table."""
    percent = change.change_percent
    if percent is None or change.verdict == SAME:
        return _NONE
    return f"{percent:+.1f}%" if 0.05 <= abs(percent) < 1000 else f"{percent:+.2g}%"


def show_allowed(change: MetricChange) -> str:
    """How much worse a metric may become, for a table."""
    if change.allowed_percent is not None:
        return f"{change.allowed_percent:g}%"
    if change.allowed is None:
        return _NONE
    is_size = change.metric.endswith("_bytes")  # whose small numbers have all their digits
    return format_bytes(change.allowed) if is_size else f"{change.allowed:g}"


def matters(change: MetricChange) -> bool:
    """Whether a table has it: not what is 0 in both and free to change, such as the cycles of a memory not there."""
    return bool(
        change.before or change.after or change.allowed is not None or change.verdict == MISSING
    )


def format_table(comparison: Comparison) -> "RenderableType":
    """Every metric on a line, one table per target and pair of variants, 100 columns wide."""
    from rich.console import Group
    from rich.text import Text

    parts: list[Any] = [
        Text(f"A: {comparison.before}   B: {comparison.after}   policy: {comparison.policy}")
    ]
    for variant in comparison.variants:
        parts += [
            Text(),
            Text(variant.title, style="bold"),
            _table(variant),
            *map(Text, variant.notes),
        ]
    parts += [Text(), *map(Text, comparison.notes)] if comparison.notes else []
    return Group(*parts)


def _table(variant: VariantChange) -> Any:
    from rich.text import Text

    from tinyprune.report.render.terminal import columns

    table = columns("metric", "better", "A", "B", "change", "%", "allowed", left="verdict")
    for change in filter(matters, variant.metrics):
        values = [show_value(change.metric, value) for value in (change.before, change.after)]
        cells = [
            change.direction,
            *values,
            show_change(change),
            show_percent(change),
            show_allowed(change),
        ]
        table.add_row(
            Text(change.metric), *cells, Text(change.verdict, style="red" if change.failed else "")
        )
    return table


def to_json(comparison: Comparison) -> str:
    """The whole record as JSON."""
    return json.dumps(to_jsonable(comparison), indent=2) + "\n"


def to_csv(comparison: Comparison) -> str:
    """One row per metric of every target and pair of variants; an empty cell is a value that does not exist."""
    text = io.StringIO()
    fields = [
        "target",
        "variant_a",
        "variant_b",
        *(field.name for field in dataclasses.fields(MetricChange)),
    ]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(fields)
    for variant in comparison.variants:
        for change in variant.metrics:
            writer.writerow(
                [variant.target.name, variant.before, variant.after, *dataclasses.astuple(change)]
            )
    return text.getvalue()
