"""The chart of quality against cost: Pareto front, intervals, the limit, and what is to be shipped.

Marker shapes, lines and labels carry what colours carry, as in ``charts.py``.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from operator import attrgetter

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
#: A limit that is farther from all costs than by this factor is said and not drawn.
_NEAR_LIMIT = 3
#: Of more points than this, only those that matter have their names beside them.
_ALL_NAMED = 8


@dataclass(frozen=True)
class Point:
    """One variant in a chart of quality against cost.

    Attributes:
        name: of the variant. cost: the less the better. quality: the metric.
        shape: which marker, from 0; the same number in every chart of a variant.
        half_width: half of the interval of the quality; None where nobody knows.
        is_shipped: whether it is the variant to ship.
        sign: of what is better: 1, or -1 where less of the metric is.
    """

    name: str
    cost: float
    quality: float
    shape: int = 0
    half_width: float | None = None
    is_shipped: bool = False
    sign: int = 1

    @property
    def is_finite(self) -> bool:
        """Return whether cost and quality are numbers that can be drawn."""
        return math.isfinite(self.cost) and math.isfinite(self.quality)

    @property
    def ends(self) -> tuple[float, float]:
        """The ends of the interval, both the quality itself where there is none."""
        width = self.half_width or 0.0
        return self.quality - width, self.quality + width

    def beats(self, other: "Point") -> bool:
        """Return whether it is at least as good in cost and quality, and better in one."""
        is_different = (self.cost, self.quality) != (other.cost, other.quality)
        is_as_cheap = self.cost <= other.cost
        is_as_good = self.sign * self.quality >= self.sign * other.quality
        return is_different and is_as_cheap and is_as_good


@dataclass(frozen=True)
class Axes:
    """The measures of a chart of quality against cost.

    Attributes:
        cost: label of the cost. format_cost: prints a cost.
        quality: label of the quality. format_quality: prints a quality.
        least_range: of the axis of quality: smaller differences do not fill the chart.
        limits: what a variant may cost at most.
    """

    cost: str
    format_cost: Callable[[float], str]
    quality: str
    format_quality: Callable[[float], str]
    least_range: float = 0.0
    limits: tuple[float, ...] = ()


@dataclass(frozen=True)
class _Spot:
    """A point and its place in the drawing.

    Attributes:
        point: the variant. x, y: its place. top, bottom: of its interval.
        is_front: whether it is on the Pareto front.
    """

    point: Point
    x: float
    y: float
    top: float
    bottom: float
    is_front: bool

    @property
    def label(self) -> str:
        """Its name, with a word where it is to be shipped."""
        if self.point.is_shipped:
            return f"ship: {self.point.name}"
        return self.point.name

    @property
    def kind(self) -> str:
        """The kind of its name and of its interval: "front", or "behind" in grey."""
        if self.is_front or self.point.is_shipped:
            return "front"
        return "behind"


def pareto(points: Iterable[Point]) -> set[str]:
    """Names of the points that no other point beats."""
    known = list(points)
    front = set()
    for point in known:
        is_beaten = any(other.beats(point) for other in known)
        if not is_beaten:
            front.add(point.name)
    return front


def scatter(title: str, points: Sequence[Point], axes: Axes) -> Markup:
    """Quality against cost with intervals; the Pareto front is filled and joined, the rest is grey.

    Where there are many points, those that are neither on the front nor shipped nor the first have
    no name beside them. Each has its name and its numbers as a tip.

    Args:
        title: what a screen reader says.
        points: the variants; those without a finite cost and quality are left out, and no chart if
            all are.
        axes: what is measured.
    """
    points = [point for point in points if point.is_finite]
    if not points:
        return Markup("")
    across = _cost_scale(points, axes.limits)
    up = _quality_scale(points, axes.least_range)
    spots = _spots(points, across, up)
    corners = _front_corners(spots)
    limits = [_limit(across, axes, row) for row in range(len(axes.limits))]
    drawn = _cost_axis(across, axes)
    drawn += _quality_axis(up, axes.quality)
    drawn += chain.from_iterable(limit.drawn for limit in limits)
    drawn.append(_front_line(corners))
    drawn += map(_interval, spots)
    boxes = chain.from_iterable(limit.boxes for limit in limits)
    drawn += _marked_and_named(spots, [*_front_boxes(corners), *boxes], axes)
    return svg(title, _HEIGHT, drawn)


def _marked_and_named(spots: Sequence[_Spot], lines: Sequence[Box], axes: Axes) -> list[Markup]:
    """The markers of all spots, those in grey below, and the names of those that have one."""
    labels = _labels(spots, lines)
    kinds = {spot.label: spot.kind for spot in spots}
    drawn = list(map(_leader, labels))
    drawn += [_marked(spot, axes) for spot in sorted(spots, key=attrgetter("kind"))]
    drawn += [_name(label, kinds[label.name]) for label in labels]
    return drawn


def _labels(spots: Sequence[_Spot], lines: Sequence[Box]) -> list[Label]:
    """The names of the spots, beside the lines of the chart; what is shipped comes first."""
    named = [spot for spot in spots if _is_named(spot, spots)]
    named.sort(key=lambda spot: (not spot.point.is_shipped, not spot.is_front))
    names = [(spot.label, spot.x, spot.y) for spot in named]
    intervals = [Box(spot.x - 4, spot.top, spot.x + 4, spot.bottom) for spot in spots]
    marks = [Box(spot.x - 6, spot.y - 6, spot.x + 6, spot.y + 6) for spot in spots]
    bounds = Box(_LEFT, _HEAD, WIDTH, _FOOT)
    return place_labels(names, [*lines, *intervals, *marks], bounds)


def _is_named(spot: _Spot, spots: Sequence[_Spot]) -> bool:
    return len(spots) <= _ALL_NAMED or spot.kind == "front" or spot is spots[0]


def _spots(points: Sequence[Point], across: Scale, up: Scale) -> list[_Spot]:
    front = pareto(points)
    spots = []
    for point in points:
        low, high = point.ends
        x = across(point.cost)
        is_front = point.name in front
        spots.append(_Spot(point, x, up(point.quality), up(high), up(low), is_front))
    return spots


def _front_corners(spots: Sequence[_Spot]) -> list[tuple[float, float]]:
    """Places of the points on the front, from the cheapest to the dearest."""
    return sorted((spot.x, spot.y) for spot in spots if spot.is_front)


def _cost_scale(points: Sequence[Point], limits: Sequence[float]) -> Scale:
    """Room for all costs, and for the limits that are not far from them."""
    costs = [point.cost for point in points]
    costs += [limit for limit in limits if _is_near(limit, costs)]
    low = min(costs)
    high = max(costs)
    start = _LEFT + 6
    end = WIDTH - 10
    if high > _EVEN_RANGE * low > 0:
        return Scale(low / 1.25, high * 1.25, start, end, log=True)
    return Scale(0, (high or 1) * 1.08, start, end)


def _is_near(limit: float, costs: Sequence[float]) -> bool:
    """Return whether a limit lies where the costs are, or not far beside them."""
    return min(costs) / _NEAR_LIMIT <= limit <= max(costs) * _NEAR_LIMIT


def _quality_scale(points: Sequence[Point], least: float) -> Scale:
    values: list[float] = []
    for point in points:
        values += point.ends
    low, high = roomy_range(values, 0.12, least)
    return Scale(low, high, _FOOT, _HEAD + 6)


@dataclass(frozen=True)
class _Limit:
    """The line of a limit, with its words, and the room that they take."""

    drawn: list[Markup]
    boxes: list[Box]


def _limit(across: Scale, axes: Axes, row: int) -> _Limit:
    """The line of a limit; where it lies outside, words at that side. ``row``: of its words."""
    limit = axes.limits[row]
    words = f"limit {axes.format_cost(limit)}"
    base = _HEAD + 10 + 13 * row
    if not across.low < limit < across.high:
        return _far_limit(words, base, is_above=limit >= across.high)
    x = across(limit)
    anchor = "end"
    left = x - 5 - text_width(words)
    if left < _LEFT:
        anchor = "start"
        left = x + 5
    place = left + text_width(words) if anchor == "end" else left
    drawn = [
        line(x, _HEAD, x, _FOOT, "limit"),
        text(words, place, base, "limit-name", anchor),
    ]
    boxes = [
        Box(x - 2, _HEAD, x + 2, _FOOT),
        Box(left, base - 11, left + text_width(words), base + 3),
    ]
    return _Limit(drawn, boxes)


def _far_limit(words: str, base: float, is_above: bool) -> _Limit:
    """The words of a limit that lies beyond one side of the chart."""
    if is_above:
        words = f"{words} →"
        left = WIDTH - text_width(words)
        drawn = text(words, WIDTH, base, "limit-name", "end")
    else:
        words = f"← {words}"
        left = _LEFT + 4
        drawn = text(words, left, base, "limit-name")
    return _Limit([drawn], [Box(left, base - 11, left + text_width(words), base + 3)])


def _cost_axis(scale: Scale, axes: Axes) -> list[Markup]:
    """Lines of the grid, a number below each where there is room, and the axis."""
    label = axes.cost
    drawn = []
    last = -math.inf
    for tick, shown in _cost_texts(scale, axes.format_cost):
        x = scale(tick)
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


def _cost_texts(scale: Scale, format_cost: Callable[[float], str]) -> Iterator[tuple[float, str]]:
    """The ticks with their texts; on an even axis all in the unit of the largest."""
    ticks = scale.ticks()
    if scale.log:
        for tick in ticks:
            yield tick, format_cost(tick).replace(".00 ", " ")
        return
    largest, space, unit = format_cost(ticks[-1]).partition(" ")
    share = float(largest) / (ticks[-1] or 1)
    for tick in ticks:
        yield tick, f"{tick * share:g}{space}{unit}"


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


def _interval(spot: _Spot) -> Markup:
    """The bar of the interval of a spot; none where nobody knows it."""
    if not spot.point.half_width:
        return Markup("")
    x, top, bottom = map(number, (spot.x, spot.top, spot.bottom))
    left, right = number(spot.x - 3.5), number(spot.x + 3.5)
    path = f"M{x} {top}V{bottom}M{left} {top}H{right}M{left} {bottom}H{right}"
    return tag("path", d=path, class_=f"interval {spot.kind}-interval")


def _marked(spot: _Spot, axes: Axes) -> Markup:
    """The marker of a spot, with a tip that names its cost and quality, and a ring if it ships."""
    point = spot.point
    quality = axes.format_quality(point.quality)
    if point.half_width:
        quality += f" ± {axes.format_quality(point.half_width)}"
    metric, _, _ = axes.quality.partition(" (")
    tip = f"{spot.label}: {axes.format_cost(point.cost)}, {metric} {quality}"
    shape = marker(point.shape, spot.x, spot.y, spot.is_front)
    if point.is_shipped:
        shape += tag("circle", cx=spot.x, cy=spot.y, r=10, class_="ring")
    return tag("g", tag("title", tip) + shape)


def _name(label: Label, kind: str) -> Markup:
    """The name of a spot, which begins or ends beside it."""
    kind = f"point {kind}-name"
    if label.is_left:
        return text(label.text, label.right, label.base, kind, "end")
    return text(label.text, label.left, label.base, kind)


def _leader(label: Label) -> Markup:
    """The line from a spot to its label; none where they are close."""
    if not label.is_far:
        return Markup("")
    near = min(max(label.x, label.left), label.right)
    if abs(near - label.x) > 1:
        end = label.base - 4
    elif label.base < label.y:
        end = label.base + 3
    else:
        end = label.base - 11
    return tag("line", x1=label.x, y1=label.y, x2=near, y2=end, class_="leader")
