"""The part of the HTML report about one target: its table, its charts and its advice."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from markupsafe import Markup

from tinyprune.artifacts.quantity import FLASH, TOTAL_CYCLES, Quantity
from tinyprune.artifacts.resources import NpuTarget, ResourceReport
from tinyprune.artifacts.stream_check import StreamCheck
from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.metrics.metric import metric_of
from tinyprune.report.model.advice import advice
from tinyprune.report.model.front import FrontMarks
from tinyprune.report.model.stream_work import busy_with, remedies
from tinyprune.report.model.summary import Row, summary_rows
from tinyprune.report.render.charts import Bar, stacks
from tinyprune.report.render.front_chart import front_chart
from tinyprune.report.render.scatter import Point, pareto
from tinyprune.report.render.stream_tables import WorkCell, work_cells
from tinyprune.report.render.svg import HATCHES

#: Layers with a hatch of their own; the last hatch is for all others.
_NAMED_LAYERS = HATCHES - 1
_OTHERS = HATCHES - 1
#: A layer with a smaller share of every bar has no hatch of its own.
_TINY = 0.03
#: What the layers do not account for is shown above this share.
_ROUNDING = 0.001


@dataclass(frozen=True)
class StreamView:
    """The part of the page about the command stream of a variant.

    Attributes:
        check: what was found when it was executed.
        rows: layer, its cells, and what it keeps the NPU busy with.
        remedies: what layers are busy with -> what would help.
    """

    check: StreamCheck
    rows: list[tuple[str, list[WorkCell], str]]
    remedies: dict[str, str]


@dataclass(frozen=True)
class TargetView:
    """The part of the page about one target.

    Attributes:
        target: the target. rows: as :func:`summary_rows` makes them, with the ``shape`` of their
            markers.
        front: variants on a Pareto front.
        trades: charts of quality against flash and cycles. bars: where flash and cycles go.
        legend: (number of a hatch, what it stands for). variants: with their layers. advice:
            variant -> lines.
        has_limits: whether a chart has one. half_widths: variant -> half of the interval of the
            metric, if it has one.
    """

    target: NpuTarget
    rows: list[Row]
    front: set[str]
    trades: tuple[Markup, ...]
    bars: tuple[Markup, ...]
    legend: list[tuple[int, str]]
    variants: tuple[VariantSummary, ...]
    advice: dict[str, tuple[str, ...]]
    streams: dict[str, StreamView]
    has_limits: bool
    half_widths: Mapping[str, float | None]


def target_view(
    summary: RunSummary,
    metric: str,
    order: Mapping[str, int],
    marks: FrontMarks,
    checks: Sequence[StreamCheck] = (),
) -> TargetView:
    """The view of one target.

    Args:
        summary: of the target.
        metric: of the headline.
        order: variant -> its number in the run, which is the shape of its marker in every chart,
            whichever variants a target lacks.
        marks: what the charts show beside the variants.
        checks: of compiled streams, those of other targets too.
    """
    rows = summary_rows(summary)
    for number, row in enumerate(rows):
        row["shape"] = order.get(row["variant"], number)
    front: set[str] = set()
    trades = []
    for quantity in _CHARTED:
        points = _points(rows, quantity, metric, marks)
        front |= pareto(points)
        limits = marks.limits.get(quantity.name, ())
        of = target_text(summary.target)
        trades.append(front_chart(of, quantity, metric_of(metric), points, limits))

    named = _named_layers(summary.variants)
    bars = []
    for quantity in _CHARTED:
        bars.append(_bars(summary.variants, quantity, named))
    return TargetView(
        target=summary.target,
        rows=rows,
        front=front,
        trades=tuple(trades),
        bars=tuple(bars),
        legend=_legend(summary.variants, named),
        variants=summary.variants,
        advice=advice(summary),
        has_limits=any(quantity.name in marks.limits for quantity in _CHARTED),
        half_widths=marks.half_widths,
        streams=_streams(summary.target, checks),
    )


def _streams(target: NpuTarget, checks: Sequence[StreamCheck]) -> dict[str, StreamView]:
    """Variant -> what its command stream does on a target."""
    views = {}
    for check in checks:
        if check.target == target.name:
            rows = [
                (layer.name, work_cells(layer), busy_with(layer).what) for layer in check.layers
            ]
            views[check.name] = StreamView(check, rows, remedies(check.layers))
    return views


def target_text(target: NpuTarget) -> str:
    """A target in words, with the name that a user gave it."""
    if not target.label:
        return target.description
    return f"{target.label} ({target.description})"


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value can be drawn or compared."""
    return isinstance(value, int | float) and math.isfinite(value)


# --- quality against cost


def _points(rows: Sequence[Row], quantity: Quantity, metric: str, marks: FrontMarks) -> list[Point]:
    points = []
    for row in rows:
        if not is_number(row.get(metric)):
            continue
        name = row["variant"]
        point = Point(
            name=name,
            cost=row[quantity.name],
            quality=row[metric],
            shape=row["shape"],
            half_width=marks.half_widths.get(name),
            is_shipped=name == marks.ship,
            sign=-metric_of(metric).loss_sign,
        )
        points.append(point)
    return points


# --- the way of every byte and cycle


def _bars(variants: Sequence[VariantSummary], quantity: Quantity, named: Sequence[str]) -> Markup:
    bars = [_bar(variant, quantity, named) for variant in variants]
    return stacks(_CHARTED[quantity].title, bars)


def _bar(variant: VariantSummary, quantity: Quantity, named: Sequence[str]) -> Bar:
    """The layers of a variant with a hatch of their own, then all others in one part."""
    amounts = _by_layer(variant.report, quantity)
    parts = []
    for hatch, name in enumerate(named):
        if name in amounts:
            parts.append((name, amounts.pop(name), hatch))
    if amounts:
        parts.append((_others(amounts), sum(amounts.values()), _OTHERS))
    note = _CHARTED[quantity].note(variant.report)
    return Bar(variant.name, note, tuple(parts))


def _flash_note(report: ResourceReport) -> str:
    form = FLASH.format
    note = f"{form(report.flash_bytes)}: {form(report.encoded_weight_bytes)} weights"
    if report.scale_bytes:
        note += f", {form(report.scale_bytes)} scales"
    return note


def _cycles_note(report: ResourceReport) -> str:
    return f"{TOTAL_CYCLES.format(report.cycles)}, bound by {report.bound_by}"


@dataclass(frozen=True)
class _Bars:
    """The chart of what a quantity is made of.

    Attributes:
        title: what a screen reader says.
        note: says the total of a variant in words.
    """

    title: str
    note: Callable[[ResourceReport], str]


#: Quantities with charts.
_CHARTED: Mapping[Quantity, _Bars] = {
    FLASH: _Bars("Where flash goes", _flash_note),
    TOTAL_CYCLES: _Bars("Where cycles go", _cycles_note),
}


def _by_layer(report: ResourceReport, quantity: Quantity) -> dict[str, float]:
    """Layer -> its share of a quantity; what the layers do not account for comes last."""
    amounts = {layer.name: quantity.of_layer(layer) for layer in report.layers}
    total = quantity.of_report(report)
    rest = total - sum(amounts.values())
    if rest > _ROUNDING * total:
        name = "not known per layer"
        if report.layers:
            name = "in no layer"
        amounts[name] = rest
    return {name: amount for name, amount in amounts.items() if amount > 0}


def _named_layers(variants: Sequence[VariantSummary]) -> list[str]:
    """Layers with a hatch of their own, in order of execution: those with the largest shares."""
    shares = _largest_shares(variants)
    ranked = sorted(shares, key=lambda name: -shares[name])
    largest = ranked[:_NAMED_LAYERS]
    return [name for name, share in shares.items() if name in largest and share >= _TINY]


def _largest_shares(variants: Sequence[VariantSummary]) -> dict[str, float]:
    """Layer -> the largest share that it has of any bar."""
    shares: dict[str, float] = {}
    for variant in variants:
        for quantity in _CHARTED:
            amounts = _by_layer(variant.report, quantity)
            total = sum(amounts.values())
            for name, amount in amounts.items():
                shares[name] = max(shares.get(name, 0), amount / total)
    return shares


def _legend(variants: Sequence[VariantSummary], named: Sequence[str]) -> list[tuple[int, str]]:
    """(number of a hatch, its layer), then the hatch of all others if there are any."""
    legend = list(enumerate(named))
    others = set(_largest_shares(variants)) - set(named)
    if others:
        legend.append((_OTHERS, _others(others)))
    return legend


def _others(names: Mapping[str, float] | set[str]) -> str:
    """One layer by its name, several by their number."""
    if len(names) > 1:
        return f"{len(names)} others"
    return min(names)
