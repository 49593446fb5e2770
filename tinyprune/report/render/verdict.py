"""A comparison as a sentence, a table, CSV and JSON; as Markdown in ``markdown.py``."""

import dataclasses

from rich.console import Group, RenderableType
from rich.text import Text

from tinyprune.artifacts.quantity import QUANTITIES
from tinyprune.errors import CheckFailed
from tinyprune.metrics.metric import metric_of
from tinyprune.report.model.comparison import MISSING, SAME, Comparison, MetricChange, VariantChange
from tinyprune.report.model.number_text import NONE, shown_number
from tinyprune.report.render.plain_data import csv_text, json_text
from tinyprune.report.render.terminal import Fitting, columns, first_texts
from tinyprune.units import format_bytes

#: Variants that a failed check names.
_NAMED = 3
_HEADINGS = ("metric", "better", "A", "B", "change", "%", "allowed")
_NARROW_HEADINGS = ("metric", "A", "B", "change", "allowed")


_CSV_COLUMNS = (
    "target",
    "variant_a",
    "variant_b",
    *(field.name for field in dataclasses.fields(MetricChange)),
)


def check(comparison: Comparison) -> None:
    """Raise CheckFailed that names the changes that the policy does not allow, if there are any."""
    failing = [_failed_variant(variant) for variant in comparison.variants if variant.failures]
    if failing:
        variants = first_texts(failing, _NAMED)
        raise CheckFailed(f"worse than the policy ({comparison.policy}) allows: {variants}")


def _failed_variant(variant: VariantChange) -> str:
    failures = ", ".join(map(_failure, variant.failures))
    return f"{variant.title}: {failures}"


def _failure(metric: MetricChange) -> str:
    if metric.verdict == MISSING:
        return f"{metric.metric} is missing"
    change = show_change(metric)
    allowed = show_allowed(metric)
    if metric.allowed_percent is not None and metric.before:
        change = show_percent(metric)
    return f"{metric.metric} {change} (allowed {allowed})"


def show_value(metric: str, value: float | None) -> str:
    """A value of a metric for a table."""
    number = QUANTITIES.get(metric, metric_of(metric))
    return shown_number(value, number.format)


def show_change(change: MetricChange) -> str:
    """The difference of a metric with its sign, for a table."""
    if change.change is None or change.verdict == SAME:
        return NONE
    amount = abs(change.change)
    shown = show_value(change.metric, amount)
    is_shown_as_zero = set(shown).isdisjoint("123456789")
    if is_shown_as_zero:  # a difference is never shown as none
        shown = f"{amount:.2g}"
    sign = "+"
    if change.change < 0:
        sign = "-"
    return sign + shown


def show_percent(change: MetricChange) -> str:
    """The difference in percent with its sign, for a table."""
    percent = change.change_percent
    if percent is None or change.verdict == SAME:
        return NONE
    number_format = "+.2g"
    if 0.05 <= abs(percent) < 1000:
        number_format = "+.1f"
    return f"{percent:{number_format}}%"


def show_allowed(change: MetricChange) -> str:
    """The amount by which a metric may become worse, for a table."""
    if change.allowed_percent is not None:
        return f"{change.allowed_percent:g}%"
    if change.allowed is None:
        return NONE
    if change.metric.endswith("_bytes"):  # small numbers of bytes have all their digits
        return format_bytes(change.allowed)
    return f"{change.allowed:g}"


def matters(change: MetricChange) -> bool:
    """Return whether a table has a metric.

    It does not have what is 0 in both and free to change, such as the cycles of a memory that is
    not there.
    """
    has_value = any((change.before, change.after))
    is_limited = change.allowed is not None
    return has_value or is_limited or change.verdict == MISSING


def format_table(comparison: Comparison) -> RenderableType:
    """Every metric on a line, one table per target and pair of variants, of 100 or 80 columns."""
    title = f"A: {comparison.before}   B: {comparison.after}   policy: {comparison.policy}"
    parts: list[RenderableType] = [Text(title)]
    for variant in comparison.variants:
        parts += [Text(), Text(variant.title, style="bold"), _table(variant)]
        parts += map(Text, variant.notes)
    if comparison.notes:
        parts.append(Text())
        parts += map(Text, comparison.notes)
    return Group(*parts)


def _table(variant: VariantChange) -> RenderableType:
    """The changes; a narrow terminal has each once, as the policy counts it, in percent or not."""
    wide = columns(*_HEADINGS, left="verdict")
    narrow = columns(*_NARROW_HEADINGS, left="verdict")
    for change in filter(matters, variant.metrics):
        name = Text(change.metric)
        values = [show_value(change.metric, value) for value in (change.before, change.after)]
        amounts = [show_change(change), show_percent(change)]
        allowed = show_allowed(change)
        verdict = Text(change.verdict, style="red" if change.failed else "")
        wide.add_row(name, change.direction, *values, *amounts, allowed, verdict)
        is_relative = change.allowed_percent is not None
        narrow.add_row(name, *values, amounts[is_relative], allowed, verdict)
    return Fitting(wide, narrow)


def to_json(comparison: Comparison) -> str:
    """The whole record as JSON."""
    return json_text(comparison)


def to_csv(comparison: Comparison) -> str:
    """One row per metric of every target and pair of variants.

    An empty cell is a value that does not exist.
    """
    rows = []
    for variant in comparison.variants:
        names = {
            "target": variant.target.name,
            "variant_a": variant.before,
            "variant_b": variant.after,
        }
        for change in variant.metrics:
            rows.append(names | dataclasses.asdict(change))
    return csv_text(rows, _CSV_COLUMNS)
