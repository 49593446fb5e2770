"""Places for the names of the points of a chart that cover neither each other nor lines."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinyprune.report.render.svg import shortened, text_width

_LONGEST_NAME = 28
_LINE_HEIGHT = 14
_MARKER_RADIUS = 8
#: Directions (right, down) in which a label may lie, and distances from its point, the best first.
_DIRECTIONS = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1))
_DISTANCES = (10, 20, 34, 50)
#: Distance above which a line leads from the point to its label.
_NEAR = 14


@dataclass(frozen=True)
class Box:
    """A rectangle of a drawing; ``top`` is less than ``bottom``."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        """Width times height."""
        return (self.right - self.left) * (self.bottom - self.top)

    def overlap(self, other: "Box") -> float:
        """The area that two boxes share."""
        width = max(0.0, min(self.right, other.right) - max(self.left, other.left))
        height = max(0.0, min(self.bottom, other.bottom) - max(self.top, other.top))
        return width * height


@dataclass(frozen=True)
class Label:
    """The name of a point and its place.

    Attributes:
        name: of the point. text: the name, shortened. left, base: start of its base line.
        x, y: the point.
        is_far: whether the label needs a line from its point.

    Letters are as wide as the font of a browser has them: a name that is left of its point ends
    where it has to, whatever its width.
    """

    name: str
    text: str
    left: float
    base: float
    x: float
    y: float
    is_far: bool

    @property
    def is_left(self) -> bool:
        """Return whether it lies left of its point."""
        return self.right < self.x

    @property
    def right(self) -> float:
        """The end of its base line, about."""
        return self.left + text_width(self.text)


def place_labels(
    names: Sequence[tuple[str, float, float]], lines: Sequence[Box], bounds: Box
) -> list[Label]:
    """A label for every point, each in the best place that those before it leave.

    Args:
        names: (name, x, y) of every point.
        lines: what labels should not cover besides points and each other.
        bounds: the part of the drawing in which labels should lie.
    """
    taken = list(lines)
    for _, x, y in names:
        taken.append(
            Box(x - _MARKER_RADIUS, y - _MARKER_RADIUS, x + _MARKER_RADIUS, y + _MARKER_RADIUS)
        )
    labels = []
    for name, x, y in names:
        shown = shortened(name, _LONGEST_NAME)
        box, distance = _best_place(x, y, text_width(shown), taken, bounds)
        taken.append(box)
        labels.append(Label(name, shown, box.left, box.bottom - 3, x, y, distance > _NEAR))
    return labels


def _best_place(
    x: float, y: float, width: float, taken: Sequence[Box], bounds: Box
) -> tuple[Box, float]:
    """The candidate that covers least, and its distance; of equals, the first."""
    return min(
        _candidates(x, y, width),
        key=lambda candidate: _covered(candidate[0], taken, bounds) + candidate[1],
    )


def _candidates(x: float, y: float, width: float) -> Iterator[tuple[Box, float]]:
    """Boxes for a label of this width around a point, each with its distance."""
    for distance in _DISTANCES:
        for right, down in _DIRECTIONS:
            # Right of the point it begins there, left of it it ends there, else it is centred.
            left = x + right * distance - (1 - right) / 2 * width
            top = y + down * (distance + 2) - _LINE_HEIGHT / 2
            yield Box(left, top, left + width, top + _LINE_HEIGHT), distance


def _covered(box: Box, taken: Sequence[Box], bounds: Box) -> float:
    """The penalty of a place: the area outside the bounds counts most, then what it covers."""
    outside = box.area - box.overlap(bounds)
    return 20 * outside + 5 * sum(box.overlap(other) for other in taken)
