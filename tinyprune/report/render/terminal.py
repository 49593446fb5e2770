"""Tables on a terminal and in a pipe: at most 100 columns, and no lines, so that both are text.

On a narrower terminal, 80 columns are enough where a table has a narrow form (:class:`Fitting`).
"""

import io
import re
import sys
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

WIDTH = 100
#: Least width that anything is laid out for: below, names would be broken.
NARROW = 80


def show(renderable: RenderableType, file: TextIO | None = None) -> None:
    """Write to a terminal in colour, unless NO_COLOR is set, or plainly to anything else.

    Args:
        renderable: tables and texts.
        file: default: stdout.
    """
    stream = sys.stdout if file is None else file
    if stream.isatty():
        console = Console(file=stream, highlight=False, markup=False, emoji=False)
        _print(console, renderable)
    else:
        stream.write(to_text(renderable))


def to_text(renderable: RenderableType) -> str:
    """Plain text, 100 columns wide if that is enough.

    It has no colour, no lines, and no blanks at the end of a line.
    """
    text = io.StringIO()
    console = Console(
        file=text, width=WIDTH, color_system=None, highlight=False, markup=False, emoji=False
    )
    _print(console, renderable)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _print(console: Console, renderable: RenderableType) -> None:
    # Rich cuts cells without a word where they do not fit; lines that a narrow window wraps are the
    # lesser evil.
    wide = console.options.update(max_width=10 * WIDTH)
    least = Measurement.get(console, wide, renderable).minimum
    console.width = max(console.width, NARROW, least)
    console.print(renderable)


class Fitting:
    """The first of several forms of a table that fits, else the last, which is the narrowest."""

    def __init__(self, *forms: RenderableType) -> None:
        """``forms``: of the same content, the widest first."""
        self._forms = forms

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the form for the width that there is."""
        wide = options.update(max_width=10 * WIDTH)
        for form in self._forms[:-1]:
            if Measurement.get(console, wide, form).maximum <= options.max_width:
                yield form
                return
        yield self._forms[-1]

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Return the width of the narrowest form."""
        return Measurement.get(console, options, self._forms[-1])


def columns(first: str, *numbers: str, left: str | None = None) -> Table:
    """A table without lines.

    Args:
        first: heading of the first column, of text.
        numbers: headings of columns of numbers, to the right.
        left: heading of a last column of text; None: there is none.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(Text(first), overflow="fold")
    for name in numbers:
        table.add_column(Text(name, justify="right"), justify="right", no_wrap=True)
    if left is not None:
        table.add_column(Text(left), overflow="fold")
    return table


def first_texts(texts: Sequence[str], most: int) -> str:
    """The first ``most`` texts, and how many more there are."""
    listed = list(texts[:most])
    left = len(texts) - len(listed)
    if left:
        listed.append(f"and {left} more")
    return "; ".join(listed)


def wrapped(name: str, width: int) -> str:
    """A name with line breaks where it is longer than ``width``.

    They are behind - and /, or inside words that are longer alone.
    """
    lines = [""]
    for part in re.findall(rf"[^-/]{{1,{width - 1}}}[-/]?|[-/]", name):
        if lines[-1] and len(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)
