"""The chart of quality against cost, with its Pareto front.

Marker shapes, the dashed line and labels carry what colours carry, as in ``charts.py``.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from tinyprune.report.render.chart_labels import Box, Label, place_labels
from tinyprune.report.render.svg import (
    WIDTH,
    Scale,
    line,
    marker,
    number,
    roomy_range,
    svg,
    tag,
    text,
    text_width,
    tick_texts,
)

_HEIGHT = 300
_FOOT = _HEIGHT - 46
_HEAD = 22
_LEFT = 52
#: Most that costs may differ on an even scale; above it, the scale is logarithmic.
_EVEN_RANGE = 4


@dataclass(frozen=True)
class Point:
    """One variant in a chart of quality against cost.

    Attributes:
        name: of the variant. cost: the less the better. quality: the more the better.
        shape: which marker, from 0; the same number in every chart of a variant.
    """

    name: str
    cost: float
    quality: float
    shape: int = 0

    @property
    def is_finite(self) -> bool:
        """Return whether cost and quality are numbers that can be drawn."""
        return math.isfinite(self.cost) and math.isfinite(self.quality)

    def beats(self, other: "Point") -> bool:
        """Return whether it is at least as good in cost and quality, and better in one."""
        is_different = (self.cost, self.quality) != (other.cost, other.quality)
        is_as_cheap = self.cost <= other.cost
        is_as_good = self.quality >= other.quality
        return is_different and is_as_cheap and is_as_good


@dataclass(frozen=True)
class _Spot:
    """A point and its place in the drawing."""

    point: Point
    x: float
    y: float
    is_front: bool


def pareto(points: Iterable[Point]) -> set[str]:
    """Names of the points that no other point beats."""
    known = list(points)
    front = set()
    for point in known:
        is_beaten = any(other.beats(point) for other in known)
        if not is_beaten:
            front.add(point.name)
    return front


def scatter(
    title: str,
    points: Sequence[Point],
    cost: str,
    quality: str,
    format_cost: Callable[[float], str],
) -> Markup:
    """Quality against cost; points on the Pareto front are filled and joined, the others hollow.

    Args:
        title: what a screen reader says.
        points: the variants; those without a finite cost and quality are left out, and no chart if
            all are.
        cost, quality: labels of the axes.
        format_cost: prints a cost.
    """
    points = [point for point in points if point.is_finite]
    if not points:
        return Markup("")
    across = _cost_scale(points)
    up = _quality_scale(points)
    spots = _spots(points, across, up)
    corners = _front_corners(spots)
    labels = _labels(spots, corners)

    drawn = _cost_axis(across, cost, format_cost)
    drawn += _quality_axis(up, quality)
    drawn.append(_front_line(corners))
    drawn += map(_leader, labels)
    for spot in spots:
        drawn.append(_marked(spot, format_cost(spot.point.cost), quality))
    for label in labels:
        drawn.append(text(label.text, label.left, label.base, "point"))
    return svg(title, _HEIGHT, drawn)


def _labels(spots: Sequence[_Spot], corners: Sequence[tuple[float, float]]) -> list[Label]:
    """The names of the spots, beside the line of the front."""
    names = [(spot.point.name, spot.x, spot.y) for spot in spots]
    lines = _front_boxes(corners)
    bounds = Box(_LEFT, _HEAD, WIDTH, _FOOT)
    return place_labels(names, lines, bounds)


def _spots(points: Sequence[Point], across: Scale, up: Scale) -> list[_Spot]:
    front = pareto(points)
    spots = []
    for point in points:
        is_front = point.name in front
        spots.append(_Spot(point, across(point.cost), up(point.quality), is_front))
    return spots


def _front_corners(spots: Sequence[_Spot]) -> list[tuple[float, float]]:
    """Places of the points on the front, from the cheapest to the dearest."""
    return sorted((spot.x, spot.y) for spot in spots if spot.is_front)


def _cost_scale(points: Sequence[Point]) -> Scale:
    costs = [point.cost for point in points]
    low = min(costs)
    high = max(costs)
    start = _LEFT + 6
    end = WIDTH - 10
    if high > _EVEN_RANGE * low > 0:
        return Scale(low / 1.25, high * 1.25, start, end, log=True)
    return Scale(0, (high or 1) * 1.08, start, end)


def _quality_scale(points: Sequence[Point]) -> Scale:
    values = [point.quality for point in points]
    low, high = roomy_range(values, 0.12)
    return Scale(low, high, _FOOT, _HEAD + 6)


def _cost_axis(scale: Scale, label: str, format_cost: Callable[[float], str]) -> list[Markup]:
    """Lines of the grid, a number below each where there is room, and the axis."""
    drawn = []
    last = -math.inf
    for tick in scale.ticks():
        x = scale(tick)
        shown = format_cost(tick).replace(".00 ", " ")
        half = text_width(shown) / 2
        left = x - half
        right = x + half
        drawn.append(line(x, _HEAD, x, _FOOT, "grid"))
        if left > last + 6 and right < WIDTH + 8:
            drawn.append(text(shown, x, _FOOT + 16, "tick", "middle"))
            last = right
    if scale.log:
        label += ", log scale"
    drawn.append(line(_LEFT, _FOOT, WIDTH, _FOOT, "axis"))
    drawn.append(text(label, (_LEFT + WIDTH) / 2, _HEIGHT - 10, "label", "middle"))
    return drawn


def _quality_axis(scale: Scale, label: str) -> list[Markup]:
    drawn = []
    for tick, shown in tick_texts(scale.ticks()):
        y = scale(tick)
        drawn.append(line(_LEFT, y, WIDTH, y, "grid"))
        drawn.append(text(shown, _LEFT - 6, y + 4, "tick", "end"))
    drawn.append(text(label, 0, 12, "label"))
    return drawn


def _front_line(corners: list[tuple[float, float]]) -> Markup:
    """The quality of the front at each cost: it rises only where the next variant is affordable."""
    if len(corners) < 2:
        return Markup("")
    x, y = corners[0]
    path = f"M{number(x)} {number(y)}"
    for x, y in corners[1:]:
        path += f"H{number(x)}V{number(y)}"
    return tag("path", d=path, class_="frontline")


def _front_boxes(corners: Sequence[tuple[float, float]]) -> list[Box]:
    """The room that the line of the front takes."""
    boxes = []
    for (x, y), (next_x, next_y) in pairwise(corners):
        top = min(y, next_y)
        bottom = max(y, next_y)
        boxes.append(Box(x, y - 2, next_x, y + 2))
        boxes.append(Box(next_x - 2, top, next_x + 2, bottom))
    return boxes


def _marked(spot: _Spot, cost: str, quality: str) -> Markup:
    """The marker of a spot, with a tip that names its cost and quality."""
    metric, _, _ = quality.partition(" (")
    tip = f"{spot.point.name}: {cost}, {metric} {spot.point.quality:.4g}"
    shape = marker(spot.point.shape, spot.x, spot.y, spot.is_front)
    return tag("g", tag("title", tip) + shape)


def _leader(label: Label) -> Markup:
    """The line from a spot to its label; none where they are close."""
    if not label.is_far:
        return Markup("")
    near = min(max(label.x, label.left), label.left + text_width(label.text))
    if abs(near - label.x) > 1:
        end = label.base - 4
    elif label.base < label.y:
        end = label.base + 3
    else:
        end = label.base - 11
    return tag("line", x1=label.x, y1=label.y, x2=near, y2=end, class_="leader")
