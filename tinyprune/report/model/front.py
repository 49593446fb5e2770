"""The marks of a picture of quality against cost: limits, intervals, the variant to ship."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tinyprune.artifacts.quantity import LIMITED
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.artifacts.sweep import Candidate, SweepAnswer
from tinyprune.report.model.record import RunReport, VariantRecord


@dataclass(frozen=True)
class FrontMarks:
    """Facts about the variants of a run on one target.

    Attributes:
        limits: name of a quantity -> the limits that a sweep or a pruning was given, ascending.
        half_widths: variant -> half of the 95 % interval of the metric of the sweep.
        ship: the variant to ship; empty where no sweep says.
    """

    limits: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    half_widths: Mapping[str, float] = field(default_factory=dict)
    ship: str = ""


def front_marks(report: RunReport, target: NpuTarget, metric: str) -> FrontMarks:
    """Return the limits of a target, and what a sweep for it says of a metric."""
    limits = _limits_of_budgets(report.variants, target)
    found = report.sweep
    if found is None or found.target.name != target.name:
        return FrontMarks(_ascending(limits))
    for name, most in found.limits.items():
        limits.setdefault(name, set()).add(most)
    half_widths = half_widths_of(found) if found.metric == metric else {}
    return FrontMarks(_ascending(limits), half_widths, shipped_name(found))


def half_widths_of(found: SweepAnswer) -> dict[str, float]:
    """Return variant -> half of its interval, for those that have one."""
    widths = {candidate.variant: half_width(candidate) for candidate in found.candidates}
    return {name: width for name, width in widths.items() if width is not None}


def half_width(candidate: Candidate) -> float | None:
    """Return half of the interval over items, or of the spread of seeds where that is wider."""
    known = [width for width in (candidate.half_width, candidate.seed_spread) if width is not None]
    return max(known, default=None)


def shipped_name(found: SweepAnswer) -> str:
    """Return the name of the variant to ship; empty where nothing keeps the limits."""
    return found.ship.variant if found.ship else ""


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


def _ascending(limits: Mapping[str, set[float]]) -> dict[str, tuple[float, ...]]:
    return {name: tuple(sorted(most)) for name, most in limits.items()}
