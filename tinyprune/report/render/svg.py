"""Elements, scales, markers and hatches that the charts of the HTML report are drawn with.

Colours come from the CSS of the page; shapes and hatches say the same without them.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

#: Width of every chart in its own units. Letters of 12 of them stay readable on a phone 390 pixels
#: wide.
WIDTH = 400
#: Width of a letter in a chart, about.
LETTER = 7.3
#: Hatches that :func:`hatches` defines, ``h0`` to ``h7``; the last one is for what has no name of
#: its own.
HATCHES = 8

#: Corners of the markers 1 to 7; marker 0 is a circle.
_CORNERS = {
    1: "-5,-5 5,-5 5,5 -5,5",
    2: "0,-6.5 6.5,5 -6.5,5",
    3: "0,-7 7,0 0,7 -7,0",
    4: "0,6.5 6.5,-5 -6.5,-5",
    5: "-2,-6 2,-6 2,-2 6,-2 6,2 2,2 2,6 -2,6 -2,2 -6,2 -6,-2 -2,-2",
    6: "0,-7 2,-2 7,-2 3,1.5 4.5,7 0,3.5 -4.5,7 -3,1.5 -7,-2 -2,-2",
    7: "-6,-6 0,-2 6,-6 2,0 6,6 0,2 -6,6 -2,0",
}
#: Lines of each hatch in a square of 8 x 8; the first and the last have only a colour.
_HATCH_LINES = (
    "",
    "M0 8 8 0M-2 2 2 -2M6 10 10 6",
    "M0 0 8 8M-2 6 2 10M6 -2 10 2",
    "M0 2H8M0 6H8",
    "M2 0V8M6 0V8",
    "M0 4H8M4 0V8",
    "M2 2h.01M6 6h.01",
    "",
)


def roomy_range(values: Iterable[float], share: float, least: float = 0.0) -> tuple[float, float]:
    """The lowest and the highest value, and a share of their distance beyond both.

    ``least``: the least distance of the two ends.
    """
    known = list(values)
    low = min(known)
    high = max(known)
    room = share * (high - low)
    if not room and not least:
        room = 0.05 * abs(high) or 1
    room = max(room, (least - (high - low)) / 2)
    return low - room, high + room


@dataclass(frozen=True)
class Scale:
    """Maps [low, high] to [start, end] of a drawing, evenly or (``log``) by factors."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the place of a value in the drawing."""
        low = self.low
        high = self.high
        if self.log:
            low = math.log(low)
            high = math.log(high)
            value = math.log(value)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round numbers inside the range."""
        if self.log:
            return self._log_ticks()
        step = _step((self.high - self.low) / 5)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [count * step for count in range(first, last + 1)]

    def _log_ticks(self) -> list[float]:
        """1, 2 and 5 times the powers of ten inside the range."""
        first = math.floor(math.log10(self.low))
        last = math.ceil(math.log10(self.high))
        ticks = []
        for power in range(first, last + 1):
            for digit in (1, 2, 5):
                tick = digit * 10.0**power
                if self.low <= tick <= self.high:
                    ticks.append(tick)
        return ticks


def marker(shape: int, x: float, y: float, is_front: bool) -> Markup:
    """One of eight shapes around a point, 12 units wide: filled on the Pareto front, or hollow."""
    kind = "behind"
    if is_front:
        kind = "front"
    shape = shape % 8
    if shape == 0:
        return tag("circle", cx=x, cy=y, r=5.5, class_=kind)
    place = f"translate({number(x)} {number(y)})"
    return tag("polygon", points=_CORNERS[shape], transform=place, class_=kind)


def hatches() -> Markup:
    """The patterns that bars are filled with, once per page: ``<svg><defs>`` without a size."""
    patterns = Markup("")
    for index, lines in enumerate(_HATCH_LINES):
        patterns += _hatch(index, lines)
    definitions = tag("defs", patterns)
    return tag("svg", definitions, width=0, height=0, class_="defs", aria_hidden="true")


def _hatch(index: int, lines: str) -> Markup:
    ground = tag("rect", width=8, height=8, class_=f"c{index}")
    content = ground + tag("path", d=lines, class_="hatch")
    return tag("pattern", content, id=f"h{index}", width=8, height=8, patternUnits="userSpaceOnUse")


def swatch(hatch: int) -> Markup:
    """A hatch in a legend."""
    box = tag("rect", x=0.5, y=0.5, width=27, height=15, fill=f"url(#h{hatch})", class_="part")
    return tag(
        "svg", box, width=28, height=16, viewBox="0 0 28 16", class_="swatch", aria_hidden="true"
    )


def tick_texts(ticks: list[float]) -> list[tuple[float, str]]:
    """Ticks with as many decimals as tell them apart."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1
    digits = min(6, max(0, -math.floor(math.log10(step) + 1e-9)))
    return [(tick, f"{tick:.{digits}f}") for tick in ticks]


def _step(rough: float) -> float:
    """The next of 1, 2, 5, 10, 20, ... that is not below."""
    power = 10.0 ** math.floor(math.log10(rough))
    least = rough * (1 - 1e-9)
    for digit in (1, 2, 5):
        if digit * power >= least:
            return digit * power
    return 10 * power


def svg(title: str, height: float, parts: Iterable[Markup]) -> Markup:
    """A chart that takes the width of its column; ``title`` is what a screen reader says."""
    content = tag("title", title) + Markup("").join(parts)
    return tag("svg", content, viewBox=f"0 0 {WIDTH} {number(height)}", role="img", class_="chart")


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """A line from (x1, y1) to (x2, y2); ``kind`` is its CSS class."""
    return tag("line", x1=x1, x2=x2, y1=y1, y2=y2, class_=kind)


def text(content: str, x: float, y: float, kind: str, anchor: str | None = None) -> Markup:
    """A line of text that starts at (x, y), or has its "middle" or "end" there.

    ``kind`` is its CSS class.
    """
    return tag("text", content, x=x, y=y, class_=kind, text_anchor=anchor)


def text_width(content: str) -> float:
    """Width of a line of text, about."""
    return LETTER * len(content)


def shortened(name: str, length: int) -> str:
    """A name of at most ``length`` letters; an ellipsis stands for what is cut off."""
    if len(name) <= length:
        return name
    return name[: length - 1] + "…"


def tag(name: str, content: str = "", /, **attributes: str | float | None) -> Markup:
    """An element; text that is not Markup is escaped.

    Args:
        name: of the element.
        content: what stands inside.
        attributes: ``class_`` is ``class``, other underscores are dashes; those that are None are
            left out, and numbers are written in tenths.
    """
    written = ""
    for key, value in attributes.items():
        if value is None:
            continue
        attribute = key.rstrip("_").replace("_", "-")
        written += f' {attribute}="{escape(number(value))}"'
    return Markup(f"<{name}{written}>{escape(content)}</{name}>")


def number(value: float | str) -> str:
    """A coordinate, in tenths; a text as it is."""
    if isinstance(value, str):
        return value
    return f"{value:.1f}".removesuffix(".0")
