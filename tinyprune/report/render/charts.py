"""Charts of the HTML report: inline SVG that scales with its column and is readable without colour.

Marker shapes, hatches, dashes and labels carry what colours carry; colours themselves come from the
page's CSS.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from tinyprune.report.render.svg import (
    HATCHES,
    WIDTH,
    Scale,
    marker,
    number,
    svg,
    tag,
    text,
    tick_texts,
)

_LETTER = 6.7
_LINE = 14
_DIRECTIONS = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1))


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


@dataclass(frozen=True)
class Bar:
    """One variant in a chart of what a total is made of.

    Attributes:
        name: of the variant. note: its total in words.
        parts: (name, amount, number of its hatch), in the order in which they are drawn.
    """

    name: str
    note: str
    parts: tuple[tuple[str, float, int], ...]


@dataclass(frozen=True)
class Curve:
    """One training curve.

    Attributes:
        label: what it shows. points: (epoch, value) in order of epochs.
        reference: a value to compare with, drawn as a dashed line.
    """

    label: str
    points: tuple[tuple[float, float], ...]
    reference: float | None = None


def pareto(points: Iterable[Point]) -> set[str]:
    """Names of the points that no other beats: is at least as good in cost and quality, and better in one."""
    known = list(points)
    return {point.name for point in known if not any(_beats(other, point) for other in known)}


def scatter(
    title: str, points: Sequence[Point], cost: str, quality: str, form: Callable[[float], str]
) -> Markup:
    """Quality against cost; points on the Pareto front are filled and joined, the others hollow.

    Args:
        title: what a screen reader says.
        points: the variants; empty gives no chart.
        cost, quality: labels of the axes.
        form: prints a cost.
    """
    points = [
        point for point in points if math.isfinite(point.cost) and math.isfinite(point.quality)
    ]
    if not points:
        return Markup("")
    height = 300
    across, up = _cost_scale([p.cost for p in points]), _quality_scale([p.quality for p in points])
    front = pareto(points)
    spots = [(p, across(p.cost), up(p.quality)) for p in points]
    steps = sorted((x, y) for p, x, y in spots if p.name in front)
    parts = [
        *_cost_axis(across, cost + (", log scale" if across.log else ""), form, height),
        *_quality_axis(up, quality),
    ]
    parts.append(_front_line(steps))
    bounds = (52.0, 22.0, float(WIDTH), height - 46.0)
    labels = _place([(p.name, x, y) for p, x, y in spots], _stairs(steps), bounds)
    parts += [_leader(x, y, label) for (_, x, y), label in zip(spots, labels, strict=True)]
    for p, x, y in spots:
        kind = "front" if p.name in front else "behind"
        tip = f"{p.name}: {form(p.cost)}, {quality.partition(' (')[0]} {p.quality:.4g}"
        parts.append(tag("g", tag("title", tip) + marker(p.shape, x, y, kind)))
    halo = [text(name, left, base, "point") for (name, left, base), _ in labels]
    return svg(title, height, [*parts, *halo])


def stacks(title: str, bars: Sequence[Bar]) -> Markup:
    """One bar per variant, all on one scale; each part has its hatch, and its name where that fits."""
    most = max((sum(part[1] for part in bar.parts) for bar in bars), default=0)
    if not most:
        return Markup("")
    drawn: list[Markup] = []
    for index, bar in enumerate(bars):
        top = 46 * index
        drawn.append(
            text(bar.name, 0, top + 14, "name") + text(bar.note, WIDTH, top + 14, "note", "end")
        )
        left, total = 0.5, sum(part[1] for part in bar.parts)
        for name, amount, hatch in bar.parts:
            width = amount / most * (WIDTH - 1)
            drawn.append(
                _part(
                    f"{name}: {amount / total:.1%} of {bar.name}",
                    name,
                    left,
                    top + 20,
                    width,
                    hatch,
                )
            )
            left += width
    return svg(title, 46 * len(bars), drawn)


def remains(title: str, sets: Sequence[tuple[str, int, int]]) -> Markup:
    """One bar per (name, how many are left, how many there were), all on one scale: what is left, on all there was."""
    most = max((whole for *_, whole in sets), default=0)
    if not most:
        return Markup("")
    names = [name if len(name) <= 24 else name[:23] + "…" for name, *_ in sets]
    notes = [f"{left} of {whole}" for _, left, whole in sets]
    start = _LETTER * max(map(len, names)) + 10
    room = WIDTH - start - _LETTER * max(map(len, notes)) - 10
    drawn: list[Markup] = []
    for index, ((name, left, whole), shown, note) in enumerate(
        zip(sets, names, notes, strict=True)
    ):
        top = 24 * index
        drawn.append(text(shown, 0, top + 15, "set") + text(note, WIDTH, top + 15, "note", "end"))
        drawn.append(
            _part(f"{name}: {whole}", "", start, top + 2, whole / most * room, HATCHES - 1)
        )
        drawn.append(_part(f"{name}: {left} left", "", start, top + 2, left / most * room, 0))
    return svg(title, 24 * len(sets), drawn)


def curves(title: str, panels: Sequence[Curve]) -> Markup:
    """Training curves side by side, one panel each, over the same epochs."""
    panels = [panel for panel in panels if panel.points]
    if not panels:
        return Markup("")
    width = (WIDTH - 20 * (len(panels) - 1)) / len(panels)
    parts = [
        part
        for index, panel in enumerate(panels)
        for part in _panel(panel, index * (width + 20), width)
    ]
    return svg(title, 170, parts)


def _beats(other: Point, point: Point) -> bool:
    better = other.cost < point.cost or other.quality > point.quality
    return better and other.cost <= point.cost and other.quality >= point.quality


def _cost_scale(costs: list[float]) -> Scale:
    low, high = min(costs), max(costs)
    if low > 0 and high > 4 * low:
        return Scale(low / 1.25, high * 1.25, 58, WIDTH - 10, log=True)
    return Scale(0, (high or 1) * 1.08, 58, WIDTH - 10)


def _quality_scale(values: list[float]) -> Scale:
    low, high = min(values), max(values)
    room = 0.12 * (high - low) or 0.05 * abs(high) or 1
    return Scale(low - room, high + room, 254, 28)


def _cost_axis(
    scale: Scale, label: str, form: Callable[[float], str], height: int
) -> Iterable[Markup]:
    foot, last = height - 46, -math.inf
    for tick in scale.ticks():
        x, shown = scale(tick), form(tick).replace(".00 ", " ")
        yield tag("line", x1=x, x2=x, y1=22, y2=foot, class_="grid")
        width = _LETTER * len(shown)
        if x - width / 2 > last + 6 and x + width / 2 < WIDTH + 8:
            yield text(shown, x, foot + 16, "tick", "middle")
            last = x + width / 2
    yield tag("line", x1=52, x2=WIDTH, y1=foot, y2=foot, class_="axis")
    yield text(label, (52 + WIDTH) / 2, height - 10, "label", "middle")


def _quality_axis(scale: Scale, label: str) -> Iterable[Markup]:
    for tick, shown in tick_texts(scale.ticks()):
        y = scale(tick)
        yield tag("line", x1=52, x2=WIDTH, y1=y, y2=y, class_="grid")
        yield text(shown, 46, y + 4, "tick", "end")
    yield text(label, 0, 12, "label")


def _front_line(steps: list[tuple[float, float]]) -> Markup:
    """What quality the front has at each cost: it rises only where the next variant is affordable."""
    path = f"M{number(steps[0][0])} {number(steps[0][1])}"
    path += "".join(f"H{number(x)}V{number(y)}" for x, y in steps[1:])
    return tag("path", d=path, class_="frontline") if len(steps) > 1 else Markup("")


def _stairs(steps: list[tuple[float, float]]) -> list["_Box"]:
    """The room that the line of the front takes."""
    boxes = []
    for (x, y), (next_x, next_y) in pairwise(steps):
        boxes += [
            (x, y - 2, next_x, y + 2),
            (next_x - 2, min(y, next_y), next_x + 2, max(y, next_y)),
        ]
    return boxes


_Box = tuple[float, float, float, float]
_Label = tuple[tuple[str, float, float], bool]


def _place(spots: list[tuple[str, float, float]], lines: list[_Box], bounds: _Box) -> list[_Label]:
    """For every (name, x, y) its label (name, left, base line), and whether it is so far off that it needs a line."""
    taken = [*lines, *((x - 8, y - 8, x + 8, y + 8) for _, x, y in spots)]
    placed: list[_Label] = []
    for name, x, y in spots:
        name = name if len(name) <= 28 else name[:27] + "…"
        width = _LETTER * len(name)
        best = min(
            _candidates(x, y, width), key=lambda item: _cost(item[0], taken, bounds) + item[1]
        )
        box, reach = best
        taken.append(box)
        placed.append(((name, box[0], box[3] - 3), reach > 14))
    return placed


def _candidates(x: float, y: float, width: float) -> Iterable[tuple[_Box, float]]:
    for reach in (10, 20, 34, 50):
        for right, down in _DIRECTIONS:
            left = x + right * reach - (0 if right > 0 else width if right < 0 else width / 2)
            top = y + down * (reach + 2) - _LINE / 2
            yield (left, top, left + width, top + _LINE), reach


def _cost(box: _Box, taken: list[_Box], bounds: _Box) -> float:
    inside = _overlap(box, bounds)
    outside = (box[2] - box[0]) * (box[3] - box[1]) - inside
    return 20 * outside + 5 * sum(_overlap(box, other) for other in taken)


def _overlap(a: _Box, b: _Box) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _leader(x: float, y: float, label: _Label) -> Markup:
    (name, left, base), far = label
    near = min(max(x, left), left + _LETTER * len(name))
    end = base - 4 if abs(near - x) > 1 else base + 3 if base < y else base - 11
    return tag("line", x1=x, y1=y, x2=near, y2=end, class_="leader") if far else Markup("")


def _part(tip: str, name: str, left: float, top: float, width: float, hatch: int) -> Markup:
    box = tag("rect", x=left, y=top, width=width, height=18, fill=f"url(#h{hatch})", class_="part")
    fits = name and width > _LETTER * len(name) + 8
    return tag(
        "g",
        tag("title", tip)
        + box
        + (text(name, left + width / 2, top + 13, "inside", "middle") if fits else Markup("")),
    )


def _panel(curve: Curve, left: float, width: float) -> Iterable[Markup]:
    values = [value for _, value in curve.points]
    marks = values if curve.reference is None else [*values, curve.reference]
    low, high = min(marks), max(marks)
    room = 0.08 * (high - low) or 0.05 * abs(high) or 1
    up = Scale(low - room, high + room, 130, 24)
    first, last = curve.points[0][0], curve.points[-1][0]
    across = Scale(min(first, 0), max(last, 1), left + 40, left + width - 8)
    for tick, shown in tick_texts(up.ticks()):
        yield tag("line", x1=left + 40, x2=left + width, y1=up(tick), y2=up(tick), class_="grid")
        yield text(shown, left + 35, up(tick) + 4, "tick", "end")
    for epoch in (tick for tick in across.ticks() if tick == int(tick)):
        yield text(str(int(epoch)), across(epoch), 146, "tick", "middle")
    yield tag("line", x1=left + 40, x2=left + width, y1=130, y2=130, class_="axis")
    yield text(curve.label, left, 12, "label")
    yield text("epoch", left + (40 + width) / 2, 163, "tick", "middle")
    if curve.reference is not None:
        y = up(curve.reference)
        yield tag("line", x1=left + 40, x2=left + width, y1=y, y2=y, class_="reference")
    spots = [(number(across(x)), number(up(y))) for x, y in curve.points]
    yield tag("polyline", points=" ".join(f"{x},{y}" for x, y in spots), class_="curve")
    if len(spots) <= 30:
        yield from (tag("circle", cx=x, cy=y, r=2.5, class_="dot") for x, y in spots)
