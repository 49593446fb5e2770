"""The pictures of the page: quality against flash, and against cycles per memory mode, a line per structure."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.paper.goals import CYCLES, CYCLES_LOSS, FLASH, FLASH_LOSS
from benchmarks.paper.record import RowRecord
from benchmarks.paper.rows import CLUSTERED, DENSE, DENSE_INT8
from benchmarks.paper.view import SHARED, SRAM_ONLY, TITLES, U85, View
from tinyprune.storage.writing import writing

LOWEST = -2.0  # dB; what lost more is outside
MARKERS = "osD^vP*X<>hpd8"
COLOURS = (
    "#4477aa",
    "#ee6677",
    "#228833",
    "#aa3377",
    "#66a61e",
    "#cc7700",
    "#222222",
    "#66ccee",
    "#bbbbbb",
)
STYLES = ("-", "--", ":")
Cost = Callable[[RowRecord], float]


def draw(view: View, folder: Path) -> dict[str, str]:
    """Write the pictures into a folder; returns file name -> what it shows, none while the dense rows are missing."""
    base, dense = view.of(DENSE), view.of(DENSE_INT8)
    if not base or not dense:
        return {}
    pictures: dict[str, tuple[str, str, Cost, tuple[float, float] | None]] = {
        "flash.svg": (
            "Quality against flash",
            "flash, kB",
            lambda found: found.costs[SHARED].flash_bytes / 1000,
            (base.file_bytes / FLASH[0] / 1000, -FLASH_LOSS),
        )
    }
    for target in (SHARED, SRAM_ONLY, U85):
        title, least = TITLES[target], dense.costs[target].cycles / CYCLES[0] / 1000
        goal = None if target == U85 else (least, -CYCLES_LOSS)
        name = f"cycles-{title.lower().replace(' ', '-').replace('_', '-')}.svg"
        pictures[name] = (
            f"Quality against cycles, {title}",
            "cycles per frame, thousands",
            _cycles(target),
            goal,
        )
    for name, picture in pictures.items():
        _draw(view, folder / name, *picture)
    return {name: picture[0] for name, picture in pictures.items()}


def _cycles(target: str) -> Cost:
    return lambda found: found.costs[target].cycles / 1000


def _draw(
    view: View, path: Path, title: str, label: str, cost: Cost, goal: tuple[float, float] | None
) -> None:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": path.name, "svg.fonttype": "none", "font.size": 10}):
        figure = Figure(figsize=(9.2, 6.6), layout="constrained")
        axes = figure.add_subplot()
        lines = _lines(view)
        for number, (name, rows) in enumerate(lines.items()):
            _line(axes, view, name, rows, number, cost)
        if goal:
            _goal(axes, *goal)
        _frame(axes, view, title, label)
        figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8.5)
        with writing(path) as part:
            figure.savefig(part, metadata={"Date": None})


def _lines(view: View) -> dict[str, list[RowRecord]]:
    """Structure -> its rows; a combination begins at the units that it starts from."""
    lines: dict[str, list[RowRecord]] = {}
    for found in view.finished:
        if found.costs:
            first = view.of(str(found.config.get("base")))
            start = [first] if first and " then " in found.structure else []
            lines.setdefault(found.structure, start).append(found)
    return lines


def _line(axes: Any, view: View, name: str, rows: list[RowRecord], number: int, cost: Cost) -> None:
    points = sorted((cost(found), -view.loss(found)) for found in rows)
    axes.plot(
        *zip(*points, strict=True),
        marker=MARKERS[number % len(MARKERS)],
        linestyle="none"
        if name in ("dense", CLUSTERED)
        else STYLES[number // len(COLOURS) % len(STYLES)],
        color=COLOURS[number % len(COLOURS)],
        markersize=6,
        linewidth=1.3,
        label=name,
    )


def _goal(axes: Any, most: float, least: float) -> None:
    """The corner that a row has to reach."""
    axes.plot(
        [0, most, most],
        [least, least, 5],
        color="black",
        linewidth=1,
        linestyle=(0, (4, 2)),
        label="goal",
    )
    axes.fill_between([0, most], least, 5, color="#dddddd", alpha=0.5, linewidth=0, zorder=0)


def _frame(axes: Any, view: View, title: str, label: str) -> None:
    from matplotlib.ticker import LogLocator

    axes.set_xscale("log")
    heights = [-view.loss(found) for found in view.finished if found.costs]
    low, high = max(LOWEST, min(heights)), max(*heights, 0.0)
    lines = [line for line in axes.get_lines() if line.get_label() != "goal"]
    costs = [
        x
        for line in lines
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
        if y >= LOWEST
    ]
    axes.set_xlim(min(costs) / 1.15, max(costs) * 1.15)
    axes.set_ylim(low - 0.08 * (high - low) - 0.02, high + 0.08 * (high - low) + 0.02)
    axes.grid(which="both", color="#e6e6e6", linewidth=0.6)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.set_title(f"{title} ({view.split} split)", loc="left")
    axes.set_xlabel(label)
    axes.set_ylabel("SDR, difference to float32, dB")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
