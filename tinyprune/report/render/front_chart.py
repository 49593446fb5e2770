"""Charts of a metric against a cost: of the variants on a target, and of what a sweep tried."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tinyprune.artifacts.quantity import QUANTITIES, Quantity
from tinyprune.artifacts.sweep import SweepAnswer
from tinyprune.metrics.metric import Metric, metric_of
from tinyprune.report.model.front import half_width, shipped_name
from tinyprune.report.render.scatter import Axes, Point, scatter


@dataclass(frozen=True)
class CostChart:
    """A chart of a sweep.

    Attributes:
        label: of its cost. chart: the drawing.
    """

    label: str
    chart: Markup


def front_chart(
    of: str,
    quantity: Quantity,
    metric: Metric,
    points: Sequence[Point],
    limits: Sequence[float] = (),
) -> Markup:
    """The chart of a metric against a quantity; empty where no point can be drawn.

    Args:
        of: whose variants they are, for a screen reader.
        quantity: the cost. metric: the quality.
        points: the variants.
        limits: of the quantity.
    """
    largest = max((abs(point.quality) for point in points if point.is_finite), default=0.0)
    axes = Axes(
        cost=f"{quantity.label} (left is better)",
        format_cost=quantity.format,
        quality=f"{metric.heading} ({metric.better_word} is better)",
        format_quality=metric.format,
        least_range=metric.least_range(largest),
        limits=tuple(limits),
    )
    return scatter(f"{metric.heading} against {quantity.label}, {of}", points, axes)


def sweep_charts(found: SweepAnswer, order: Mapping[str, int]) -> list[CostChart]:
    """A chart per cost of a sweep.

    ``order``: variant -> its number in the run, which is the shape of its marker in every chart.
    """
    metric = metric_of(found.metric)
    charts = []
    for name in found.costs:
        quantity = QUANTITIES[name]
        limits = [found.limits[name]] if name in found.limits else []
        points = _candidates(found, name, order)
        charts.append(
            CostChart(quantity.label, front_chart("of the sweep", quantity, metric, points, limits))
        )
    return charts


def _candidates(found: SweepAnswer, cost: str, order: Mapping[str, int]) -> list[Point]:
    """The variants that can be shipped, the first of the run first."""
    ship = shipped_name(found)
    points = []
    for number, candidate in enumerate(found.candidates):
        point = Point(
            name=candidate.variant,
            cost=candidate.costs[cost],
            quality=candidate.value,
            shape=order.get(candidate.variant, number),
            half_width=half_width(candidate),
            is_shipped=candidate.variant == ship,
            sign=-metric_of(found.metric).loss_sign,
        )
        points.append(point)
    points.sort(key=lambda point: order.get(point.name, len(order)))
    return points
