"""The marks of a picture of quality against cost: limits, intervals, the variant to ship."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tinyprune.artifacts.quantity import LIMITED
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.artifacts.summary import RunSummary
from tinyprune.artifacts.sweep import Candidate, SweepAnswer
from tinyprune.report.model.record import RunReport, VariantRecord


@dataclass(frozen=True)
class FrontMarks:
    """Facts about the variants of a run on one target.

    Attributes:
        limits: name of a quantity -> the limits that a run, a sweep or a pruning was given,
            ascending.
        half_widths: variant -> half of the 95 % interval of the metric, if it has one.
        ship: the variant to ship; empty where no sweep says.
    """

    limits: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    half_widths: Mapping[str, float | None] = field(default_factory=dict)
    ship: str = ""


def front_marks(report: RunReport, summary: RunSummary, metric: str) -> FrontMarks:
    """Return the limits of the target of a summary, the intervals of a metric, and what to ship.

    The intervals of a sweep know the spread of seeds too, so they come first.
    """
    target = summary.target
    limits = _limits_of_budgets(report.variants, target)
    _add(limits, report.limits.by_quantity())
    half_widths = {}
    for variant in summary.variants:
        half_widths[variant.name] = variant.quality.half_widths.get(metric)
    found = report.sweep
    if found is None or found.target.name != target.name:
        return FrontMarks(_ascending(limits), half_widths)
    _add(limits, found.limits)
    if found.metric == metric:
        half_widths |= {each.variant: half_width(each) for each in found.candidates}
    return FrontMarks(_ascending(limits), half_widths, shipped_name(found))


def half_width(candidate: Candidate) -> float | None:
    """Return half of the interval over items, or of the spread of seeds where that is wider."""
    known = [width for width in (candidate.half_width, candidate.seed_spread) if width is not None]
    return max(known, default=None)


def shipped_name(found: SweepAnswer | None) -> str:
    """Return the name of the variant to ship; empty where nothing keeps the limits, or no sweep."""
    if found is None or found.ship is None:
        return ""
    return found.ship.variant


def _limits_of_budgets(
    variants: Sequence[VariantRecord], target: NpuTarget
) -> dict[str, set[float]]:
    """Return name of a quantity -> the budgets that variants were pruned to for a target."""
    limits: dict[str, set[float]] = {}
    for variant in variants:
        if variant.budget is None or variant.budget.target not in (target.name, None):
            continue
        for line in variant.budget.lines:
            limits.setdefault(LIMITED[line.name].name, set()).add(line.most)
    return limits


def _add(limits: dict[str, set[float]], more: Mapping[str, float]) -> None:
    """Add limits of quantities to those that are known."""
    for name, most in more.items():
        limits.setdefault(name, set()).add(most)


def _ascending(limits: Mapping[str, set[float]]) -> dict[str, tuple[float, ...]]:
    return {name: tuple(sorted(most)) for name, most in limits.items()}
