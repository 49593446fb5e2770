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
#: Hatches that :func:`hatches` defines, ``h0`` to ``h7``; the last one is for what has no name of
#: its own.
HATCHES = 8


@dataclass(frozen=True)
class Scale:
    """Maps [low, high] to [start, end] of a drawing, evenly or (``log``) by factors."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Where a value lies in the drawing."""
        low, high, at = (math.log(x) if self.log else x for x in (self.low, self.high, value))
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round numbers inside the range."""
        if self.log:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            marks = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
            return [mark for mark in marks if self.low <= mark <= self.high]
        step = _step((self.high - self.low) / 5)
        first = math.ceil(self.low / step - 1e-9)
        return [count * step for count in range(first, math.floor(self.high / step + 1e-9) + 1)]


def marker(shape: int, x: float, y: float, kind: str) -> Markup:
    """One of eight shapes around a point, 12 units wide; ``kind`` is its CSS class."""
    if shape % 8 == 0:
        return tag("circle", cx=x, cy=y, r=5.5, class_=kind)
    corners = {
        1: "-5,-5 5,-5 5,5 -5,5",
        2: "0,-6.5 6.5,5 -6.5,5",
        3: "0,-7 7,0 0,7 -7,0",
        4: "0,6.5 6.5,-5 -6.5,-5",
        5: "-2,-6 2,-6 2,-2 6,-2 6,2 2,2 2,6 -2,6 -2,2 -6,2 -6,-2 -2,-2",
        6: "0,-7 2,-2 7,-2 3,1.5 4.5,7 0,3.5 -4.5,7 -3,1.5 -7,-2 -2,-2",
        7: "-6,-6 0,-2 6,-6 2,0 6,6 0,2 -6,6 -2,0",
    }
    place = f"translate({number(x)} {number(y)})"
    return tag("polygon", points=corners[shape % 8], transform=place, class_=kind)


def hatches() -> Markup:
    """The patterns that bars are filled with, once per page: ``<svg><defs>`` without a size."""
    lines = (
        "",
        "M0 8 8 0M-2 2 2 -2M6 10 10 6",
        "M0 0 8 8M-2 6 2 10M6 -2 10 2",
        "M0 2H8M0 6H8",
        "M2 0V8M6 0V8",
        "M0 4H8M4 0V8",
        "M2 2h.01M6 6h.01",
        "",
    )
    patterns = Markup("").join(
        tag(
            "pattern",
            tag("rect", width=8, height=8, class_=f"c{index}")
            + tag("path", d=path, class_="hatch"),
            id=f"h{index}",
            width=8,
            height=8,
            patternUnits="userSpaceOnUse",
        )
        for index, path in enumerate(lines)
    )
    return tag("svg", tag("defs", patterns), width=0, height=0, class_="defs", aria_hidden="true")


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
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= rough * (1 - 1e-9))


def svg(title: str, height: float, parts: Iterable[Markup]) -> Markup:
    """A chart that takes the width of its column."""
    content = tag("title", title) + Markup("").join(parts)
    return tag("svg", content, viewBox=f"0 0 {WIDTH} {number(height)}", role="img", class_="chart")


def text(content: str, x: float, y: float, kind: str, anchor: str = "start") -> Markup:
    """A line of text; ``kind`` is its CSS class."""
    return tag(
        "text", content, x=x, y=y, class_=kind, text_anchor=anchor if anchor != "start" else None
    )


def tag(name: str, content: str = "", /, **attributes: str | float | None) -> Markup:
    """An element; text that is not Markup is escaped. ``class_`` is ``class``, other underscores are dashes."""
    given = {
        key.rstrip("_").replace("_", "-"): value
        for key, value in attributes.items()
        if value is not None
    }
    shown = "".join(
        f' {k}="{escape(v if isinstance(v, str) else number(v))}"' for k, v in given.items()
    )
    return Markup(f"<{name}{shown}>{escape(content)}</{name}>")


def number(value: float | str) -> str:
    """A coordinate, in tenths."""
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
