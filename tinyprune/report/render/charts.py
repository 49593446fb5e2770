"""Bars and curves of the HTML report: inline SVG that is readable without colour.

A chart scales with its column. Hatches, dashes and labels carry what colours carry; colours
themselves come from the page's CSS. The chart of quality against cost is in ``scatter.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tinyprune.report.render.svg import (
    HATCHES,
    WIDTH,
    Scale,
    line,
    number,
    roomy_range,
    shortened,
    svg,
    tag,
    text,
    text_width,
    tick_texts,
)

_BAR = 18
_LONGEST_SET = 24
_GAP = 20
_CURVES_HEIGHT = 170
#: Curves of more points are drawn without a dot per point.
_DOTTED = 30


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

    @property
    def total(self) -> float:
        """The amounts of all parts."""
        return sum(amount for _, amount, _ in self.parts)


@dataclass(frozen=True)
class Curve:
    """One training curve.

    Attributes:
        label: what it shows. points: (epoch, value) in order of epochs.
        reference: a value to compare with, drawn as a dashed line.
        least_range: of the axis: smaller differences do not fill the panel.
    """

    label: str
    points: tuple[tuple[float, float], ...]
    reference: float | None = None
    least_range: float = 0.0


def stacks(title: str, bars: Sequence[Bar]) -> Markup:
    """One bar per variant, all on one scale; each part has its hatch, and its name if it fits.

    Args:
        title: what a screen reader says.
        bars: the variants; no chart if all are empty.
    """
    largest = max((bar.total for bar in bars), default=0)
    if not largest:
        return Markup("")
    height = 46
    drawn: list[Markup] = []
    for index, bar in enumerate(bars):
        drawn += _stack(bar, height * index, largest)
    return svg(title, height * len(bars), drawn)


def _stack(bar: Bar, top: float, largest: float) -> list[Markup]:
    drawn = [
        text(bar.name, 0, top + 14, "name"),
        text(bar.note, WIDTH, top + 14, "note", "end"),
    ]
    left = 0.5
    for name, amount, hatch in bar.parts:
        width = amount / largest * (WIDTH - 1)
        tip = f"{name}: {amount / bar.total:.1%} of {bar.name}"
        drawn.append(_part(tip, name, left, top + 20, width, hatch))
        left += width
    return drawn


def remains(title: str, sets: Sequence[tuple[str, int, int]]) -> Markup:
    """One bar per set of units, all on one scale: the units that are left on all there were.

    Args:
        title: what a screen reader says.
        sets: (name, units that are left, units that there were); no chart if there were none.
    """
    largest = max((before for _, _, before in sets), default=0)
    if not largest:
        return Markup("")
    names = []
    notes = []
    for name, left, before in sets:
        names.append(shortened(name, _LONGEST_SET))
        notes.append(f"{left} of {before}")
    start = max(map(text_width, names)) + 10
    room = WIDTH - start - max(map(text_width, notes)) - 10

    height = 24
    drawn: list[Markup] = []
    for index, (name, left, before) in enumerate(sets):
        top = height * index
        before_width = before / largest * room
        left_width = left / largest * room
        drawn.append(text(names[index], 0, top + 15, "set"))
        drawn.append(text(notes[index], WIDTH, top + 15, "note", "end"))
        drawn.append(_part(f"{name}: {before}", "", start, top + 2, before_width, HATCHES - 1))
        drawn.append(_part(f"{name}: {left} left", "", start, top + 2, left_width, 0))
    return svg(title, height * len(sets), drawn)


def _part(tip: str, name: str, left: float, top: float, width: float, hatch: int) -> Markup:
    """A piece of a bar with a tip, and with its name if that fits."""
    content = tag("title", tip)
    content += tag(
        "rect", x=left, y=top, width=width, height=_BAR, fill=f"url(#h{hatch})", class_="part"
    )
    if name and width > text_width(name) + 8:
        content += text(name, left + width / 2, top + 13, "inside", "middle")
    return tag("g", content)


def curves(title: str, panels: Sequence[Curve]) -> Markup:
    """Training curves side by side, one panel each, over the same epochs.

    Args:
        title: what a screen reader says.
        panels: the curves; those without points are left out, and no chart if all are.
    """
    panels = [panel for panel in panels if panel.points]
    if not panels:
        return Markup("")
    width = (WIDTH - _GAP * (len(panels) - 1)) / len(panels)
    drawn: list[Markup] = []
    for index, panel in enumerate(panels):
        drawn += _panel(panel, index * (width + _GAP), width)
    return svg(title, _CURVES_HEIGHT, drawn)


def _panel(curve: Curve, left: float, width: float) -> list[Markup]:
    up = _value_scale(curve)
    across = _epoch_scale(curve, left, width)
    right = left + width

    drawn: list[Markup] = []
    for tick, shown in tick_texts(up.ticks()):
        drawn.append(line(left + 40, up(tick), right, up(tick), "grid"))
        drawn.append(text(shown, left + 35, up(tick) + 4, "tick", "end"))
    for tick in across.ticks():
        if tick == int(tick):
            drawn.append(text(str(int(tick)), across(tick), 146, "tick", "middle"))
    drawn.append(line(left + 40, 130, right, 130, "axis"))
    drawn.append(text(curve.label, left, 12, "label"))
    drawn.append(text("epoch", left + (40 + width) / 2, 163, "tick", "middle"))

    if curve.reference is not None:
        y = up(curve.reference)
        drawn.append(line(left + 40, y, right, y, "reference"))
    return drawn + _drawn_through(curve.points, across, up)


def _value_scale(curve: Curve) -> Scale:
    """Room for all values and the reference, with some to spare."""
    values = [value for _, value in curve.points]
    if curve.reference is not None:
        values.append(curve.reference)
    low, high = roomy_range(values, 0.08, curve.least_range)
    return Scale(low, high, 130, 24)


def _epoch_scale(curve: Curve, left: float, width: float) -> Scale:
    first, _ = curve.points[0]
    last, _ = curve.points[-1]
    return Scale(min(first, 0), max(last, 1), left + 40, left + width - 8)


def _drawn_through(points: Sequence[tuple[float, float]], across: Scale, up: Scale) -> list[Markup]:
    """A line through points, and a dot on each if they are few."""
    corners = []
    dots = []
    for epoch, value in points:
        x = number(across(epoch))
        y = number(up(value))
        corners.append(f"{x},{y}")
        dots.append(tag("circle", cx=x, cy=y, r=2.5, class_="dot"))

    curve = tag("polyline", points=" ".join(corners), class_="curve")
    if len(points) > _DOTTED:
        return [curve]
    return [curve, *dots]
