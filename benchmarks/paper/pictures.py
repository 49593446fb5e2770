"""The pictures of the page: quality against flash, and against cycles per memory mode.

All rows are grey, with a marker per kind of pruning. The Pareto front is joined, with the 95 % intervals of its rows,
and five of it are named.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.paper.goals import CYCLES, CYCLES_LOSS, FLASH, FLASH_LOSS
from benchmarks.paper.record import RowRecord
from benchmarks.paper.rows import CLUSTERED, DENSE, DENSE_INT8
from benchmarks.paper.view import SHARED, SRAM_ONLY, TITLES, U85, View
from tinyprune.storage.writing import writing

LOWEST = -2.0  # dB; what lost more is outside
NAMED = 5
FRONT, GREY = "#0b5cad", "#8a929c"
#: Words in a row's structure -> its kind, the first that is found.
KINDS = {
    "dense": "dense",
    CLUSTERED: "clusters",
    "offline": "without training",
    "TFMOT": "TFMOT",
    "then": "units, then weights",
    "differentiable": "units by budget",
    "unit": "units",
    "block": "blocks",
    "weight": "weights",
}
OTHERS = "2:4"
MARKERS = dict(zip([*KINDS.values(), OTHERS], "o>X*Ddv^s<", strict=True))
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

    shown = [found for found in view.finished if found.costs and -view.loss(found) >= LOWEST]
    front = _front(view, shown, cost)
    with mpl.rc_context({"svg.hashsalt": path.name, "svg.fonttype": "none", "font.size": 10}):
        figure = Figure(figsize=(9.2, 6.6), layout="constrained")
        axes = figure.add_subplot()
        _rest(axes, view, shown, cost)
        _joined(axes, view, front, cost)
        _names(axes, view, _named(front), cost, label)
        if goal:
            _goal(axes, *goal)
        _frame(axes, view, title, label, shown, cost)
        figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8.5)
        with writing(path) as part:
            figure.savefig(part, metadata={"Date": None})


def _kind(found: RowRecord) -> str:
    """The kind of pruning of a row."""
    return next((kind for word, kind in KINDS.items() if word in found.structure), OTHERS)


def _front(view: View, shown: Sequence[RowRecord], cost: Cost) -> list[RowRecord]:
    """The rows that nothing cheaper comes up to, from the cheapest on."""
    front: list[RowRecord] = []
    for found in sorted(shown, key=lambda one: (cost(one), view.loss(one))):
        if not front or view.loss(found) < view.loss(front[-1]):
            front.append(found)
    return front


def _named(front: Sequence[RowRecord]) -> list[RowRecord]:
    """Both ends of the front, and what lies evenly between them."""
    if len(front) <= NAMED:
        return list(front)
    return [front[round(number * (len(front) - 1) / (NAMED - 1))] for number in range(NAMED)]


def _rest(axes: Any, view: View, shown: Sequence[RowRecord], cost: Cost) -> None:
    """Every row in grey, with the marker of its kind."""
    for kind, marker in MARKERS.items():
        rows = [found for found in shown if _kind(found) == kind]
        if rows:
            heights = [-view.loss(found) for found in rows]
            places = list(map(cost, rows))
            axes.plot(places, heights, marker, color=GREY, markersize=5.5, label=kind, mfc="none")


def _joined(axes: Any, view: View, front: Sequence[RowRecord], cost: Cost) -> None:
    """The front with its intervals."""
    places = [cost(found) for found in front]
    heights = [-view.loss(found) for found in front]
    axes.step(places, heights, where="post", color=FRONT, linestyle=(0, (5, 3)), label="front")
    for found, place, height in zip(front, places, heights, strict=True):
        marker = MARKERS[_kind(found)]
        axes.plot([place], [height], marker, color=FRONT, markersize=7)
        score = view.score(found, view.metric)
        if score and score.low is not None and score.high is not None:
            axes.plot([place, place], [score.low, score.high], color=FRONT, linewidth=1)


def _names(axes: Any, view: View, named: Sequence[RowRecord], cost: Cost, label: str) -> None:
    """A number at each named row, and its name in the legend."""
    _, _, unit = label.partition(", ")
    for number, found in enumerate(named, 1):
        place, height = cost(found), -view.loss(found)
        axes.annotate(
            str(number), (place, height), (5, 6), textcoords="offset points", fontweight="bold"
        )
        words = f"{number}  {found.row}: {place:.0f} {unit}, {height:+.2f} dB"
        axes.plot([], [], " ", label=words)


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


def _frame(
    axes: Any, view: View, title: str, label: str, shown: Sequence[RowRecord], cost: Cost
) -> None:
    from matplotlib.ticker import LogLocator

    axes.set_xscale("log")
    heights = [-view.loss(found) for found in shown]
    low, high = min(heights), max(*heights, 0.0)
    costs = [cost(found) for found in shown]
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
