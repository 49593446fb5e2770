"""What the cost model predicted against what Vela says, of every network that was compiled."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from rich.console import Group, RenderableType
from rich.text import Text

from tinyprune.artifacts.resources import ResourceReport
from tinyprune.artifacts.summary import RunSummary
from tinyprune.npu.cost_constants import has_constants
from tinyprune.report.render.terminal import NONE, columns, wrapped
from tinyprune.units import format_bytes, format_count

TITLE = "Predicted against Vela"
#: Name of what is predicted -> its field in ResourceReport and Prediction.
QUANTITIES = {"flash": "flash_bytes", "SRAM": "sram_bytes", "cycles": "cycles"}

_SHOWN_WHOLE, _NAMED = 2, 3  # targets; more of them are one line each
_NAME_WIDTH, _TARGET_WIDTH = 14, 36


@dataclass(frozen=True)
class Pair:
    """One quantity of one compiled network. Attributes: name: in QUANTITIES; predicted; vela."""

    name: str
    predicted: float
    vela: float

    @property
    def error(self) -> float | None:
        """Predicted over Vela, minus 1; None where Vela says 0."""
        return self.predicted / self.vela - 1 if self.vela else None

    @property
    def cells(self) -> tuple[str, str, str]:
        """Predicted, Vela and error for a table."""
        form = format_count if self.name == "cycles" else format_bytes
        return form(self.predicted), form(self.vela), shown_error(self.error)


def pairs(report: ResourceReport) -> tuple[Pair, ...]:
    """The quantities of a compiled network; empty where nothing was predicted."""
    if (expected := report.predicted) is None:
        return ()
    return tuple(
        Pair(name, getattr(expected, field), getattr(report, field))
        for name, field in QUANTITIES.items()
    )


def by_variant(summaries: Sequence[RunSummary]) -> list[tuple[str, str, tuple[Pair, ...]]]:
    """(target, variant, its quantities) of every prediction."""
    return [
        (summary.target.name, variant.name, found)
        for summary in summaries
        for variant in summary.variants
        if (found := pairs(variant.report))
    ]


def median_errors(found: Sequence[Pair]) -> dict[str, float]:
    """Name of a quantity -> the median of the errors' sizes."""
    errors = {
        name: [abs(one.error) for one in found if one.name == name and one.error is not None]
        for name in QUANTITIES
    }
    return {name: median(sizes) for name, sizes in errors.items() if sizes}


def shown_error(error: float | None) -> str:
    """``-3.1%``."""
    return NONE if error is None else f"{error:+.1%}" if abs(error) < 9.995 else f"{error:+.0%}"


def line(summaries: Sequence[RunSummary]) -> str:
    """All of it in a sentence; empty where nothing was predicted."""
    found = by_variant(summaries)
    if not found:
        return ""
    errors = median_errors([pair for *_, several in found for pair in several])
    told = ", ".join(f"{name} {error:.1%}" for name, error in errors.items())
    return f"median error of {len(found)} {'compilation' if len(found) == 1 else 'compilations'}: {told}"


def notes(summaries: Sequence[RunSummary]) -> Iterator[str]:
    """The sentence, then the targets that it leaves out."""
    if told := line(summaries):
        yield told
        without = [
            summary.target.name for summary in summaries if not has_constants(summary.target)
        ]
        if without:
            more = f" and {len(without) - _NAMED} more" if len(without) > _NAMED else ""
            yield f"The cost model has no constants for {', '.join(without[:_NAMED])}{more}."


def format_predictions(summaries: Sequence[RunSummary]) -> RenderableType | None:
    """A line per variant, or per target where there are more than two of them; None where nothing was predicted."""
    found = by_variant(summaries)
    if not found:
        return None
    targets = list(dict.fromkeys(target for target, *_ in found))
    parts: list[RenderableType] = [Text(TITLE, style="bold")]
    if len(targets) > _SHOWN_WHOLE:
        parts.append(_medians(found, targets))
    else:
        parts += [_whole([one for one in found if one[0] == target], target) for target in targets]
    return Group(*parts, *(Text(note) for note in notes(summaries)))


def _whole(found: Sequence[tuple[str, str, tuple[Pair, ...]]], target: str) -> RenderableType:
    heads = [f"{name}\n{what}" for name in QUANTITIES for what in ("predicted", "Vela", "error")]
    table = columns("", *heads)
    for _, variant, several in found:
        table.add_row(
            wrapped(variant, _NAME_WIDTH), *(cell for pair in several for cell in pair.cells)
        )
    return Group(Text(target), table)


def _medians(
    found: Sequence[tuple[str, str, tuple[Pair, ...]]], targets: Sequence[str]
) -> RenderableType:
    table = columns("median error", *QUANTITIES, "networks")
    for target in targets:
        of_target = [several for name, _, several in found if name == target]
        errors = median_errors([pair for several in of_target for pair in several])
        cells = [f"{errors[name]:.1%}" if name in errors else NONE for name in QUANTITIES]
        table.add_row(wrapped(target, _TARGET_WIDTH), *cells, str(len(of_target)))
    return table
