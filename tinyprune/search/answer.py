"""The answer of a sweep: Pareto fronts with intervals, and the one variant to ship."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinyprune.array_types import Float64Array
from tinyprune.artifacts.quantity import QUANTITIES
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.artifacts.sweep import SCHEMA, Candidate, Shipped, SweepAnswer, TrialRecord
from tinyprune.metrics.metric import Metric, metric_of
from tinyprune.metrics.statistics import NORMAL_WIDTH, estimates


@dataclass(frozen=True)
class Question:
    """The limits and objectives of a sweep.

    Attributes:
        target: what variants were compiled for.
        metric: its name.
        costs: names of the quantities that are objectives, the most important first.
        limits: name of a quantity -> the most that is allowed.
    """

    target: NpuTarget
    metric: str
    costs: tuple[str, ...]
    limits: Mapping[str, float]

    def excess(self, costs: Mapping[str, float]) -> dict[str, float]:
        """Return limit -> how far a variant is above it, as a share; at most 0 where it is kept."""
        found = {}
        for name, most in self.limits.items():
            found[name] = (costs[name] - most) / max(most, 1e-12)
        return found

    def keeps(self, costs: Mapping[str, float]) -> bool:
        """Return whether a variant keeps every limit."""
        return all(value <= 0 for value in self.excess(costs).values())


def answer(
    question: Question,
    baseline: TrialRecord,
    trials: Sequence[TrialRecord],
    scores: Callable[[str], Float64Array],
) -> SweepAnswer:
    """Return fronts and the variant to ship.

    The best metric that keeps the limits wins; a difference inside its 95 % interval is a tie, of
    which the cheapest wins. Where seeds of a chain were tried, their spread widens the interval of
    a difference between chains.

    Args:
        question: limits and objectives.
        baseline: the measured baseline, as a trial.
        trials: all trials.
        scores: variant -> the metric of every item of dev (n,), NaN where undefined; a set that
            only has the metric as a whole has no items.
    """
    measured = _distinct([baseline, *filter(_is_done, trials)])
    table = _Table(question, measured, scores)
    candidates = [table.candidate(record) for record in measured]
    candidates = _with_fronts(candidates, question, metric_of(question.metric))
    first = question.costs[0]
    candidates.sort(key=lambda candidate: candidate.costs[first])
    found = SweepAnswer(
        schema=SCHEMA,
        target=question.target,
        metric=question.metric,
        costs=question.costs,
        limits=dict(question.limits),
        candidates=tuple(candidates),
        trials=tuple(trials),
        ship=None,
    )
    kept = [candidate for candidate in candidates if candidate.keeps]
    if not kept:
        return replace(found, nearest=_nearest(candidates, question))
    return replace(found, ship=_shipped(kept, candidates, table))


class _Table:
    """Variants beside each other: differences of the metric with their intervals."""

    def __init__(
        self,
        question: Question,
        records: Sequence[TrialRecord],
        scores: Callable[[str], Float64Array],
    ) -> None:
        self.question = question
        self.metric = metric_of(question.metric)
        self._scores = {record.variant: scores(record.variant) for record in records}
        self._family = {record.variant: record.family for record in records}
        self._values = {record.variant: record.value or 0.0 for record in records}
        self._of_seeds = _values_of_families(records)
        self._seed_noise = _noise(self._of_seeds.values())

    def candidate(self, record: TrialRecord) -> Candidate:
        """Return a variant with its interval, on no front yet."""
        of_seeds = self._of_seeds[record.family]
        spread = None
        if len(of_seeds) > 1:
            spread = (max(of_seeds) - min(of_seeds)) / 2
        return Candidate(
            variant=record.variant,
            chain=record.chain,
            value=self._values[record.variant],
            costs=dict(record.costs),
            half_width=_half_width(self._scores[record.variant]),
            seeds=len(of_seeds),
            seed_spread=spread,
            keeps=self.question.keeps(record.costs),
        )

    def gain(self, one: Candidate, other: Candidate) -> float:
        """Return how much better the metric of one variant is, whichever way is better."""
        difference = self._values[one.variant] - self._values[other.variant]
        return -self.metric.loss_sign * difference

    def is_tie(self, one: Candidate, other: Candidate) -> bool:
        """Return whether two variants cannot be told apart: their difference may be zero."""
        return abs(self.gain(one, other)) <= self.half_width(one, other)

    def is_surely_better(self, one: Candidate, other: Candidate) -> bool:
        """Return whether a variant is better than another, and they can be told apart."""
        return self.gain(one, other) > self.half_width(one, other)

    def best(self, candidates: Sequence[Candidate]) -> Candidate:
        """Return the variant with the best metric; of equal ones the first."""
        sign = -self.metric.loss_sign
        return max(candidates, key=lambda each: sign * each.value)

    def cheapest(self, candidates: Sequence[Candidate]) -> Candidate:
        """Return the variant with the least of the first cost, then of the next one."""
        names = self.question.costs
        return min(candidates, key=lambda each: tuple(map(each.costs.__getitem__, names)))

    def half_width(self, one: Candidate, other: Candidate) -> float:
        """Return half of the interval of the difference of two variants, on the same items."""
        first, second = self._scores[one.variant], self._scores[other.variant]
        width = 0.0
        if len(first) == len(second):
            width = _half_width(first - second) or 0.0
        if self._family[one.variant] != self._family[other.variant]:
            width = math.hypot(width, NORMAL_WIDTH * math.sqrt(2) * self._seed_noise)
        return width


def _shipped(kept: Sequence[Candidate], candidates: Sequence[Candidate], table: _Table) -> Shipped:
    """Return the variant to ship, of those that keep the limits."""
    best = table.best(kept)
    tied = [candidate for candidate in kept if table.is_tie(candidate, best)]
    ship = table.cheapest(tied)
    tied.remove(ship)
    better = [candidate for candidate in candidates if table.is_surely_better(candidate, ship)]
    next_better = ""
    next_reason = f"nothing that was tried has a surely better {table.metric.label}"
    if better:
        following = table.cheapest(better)
        next_better = following.variant
        next_reason = _next_reason(ship, following, table)
    return Shipped(
        variant=ship.variant,
        reason=_reason(ship, best, table),
        tied=tuple(candidate.variant for candidate in tied),
        next_better=next_better,
        next_reason=next_reason,
    )


def _reason(ship: Candidate, best: Candidate, table: _Table) -> str:
    """Return why a variant is shipped."""
    within = "of everything that was tried"
    if table.question.limits:
        within = "of what keeps the limits"
    if ship.variant == best.variant:
        return f"the best {table.metric.label} {within}"
    first = QUANTITIES[table.question.costs[0]]
    width = table.metric.format(table.half_width(ship, best))
    return (
        f"the least {first.label} {within} and ties with the best, {best.variant} "
        f"(they differ by {table.metric.format(table.gain(best, ship))}, within +-{width})"
    )


def _next_reason(ship: Candidate, following: Candidate, table: _Table) -> str:
    """Return what the next better variant would cost."""
    gain = table.metric.with_unit(table.gain(following, ship))
    costs = []
    for name in table.question.costs:
        quantity = QUANTITIES[name]
        more = following.costs[name] - ship.costs[name]
        sign = "+" if more >= 0 else "-"
        costs.append(f"{sign}{quantity.format(abs(more))} {quantity.label}")
    broken = ""
    if not following.keeps:
        broken = ", above the limits"
    return f"{gain} better for {', '.join(costs)}{broken}"


def _nearest(candidates: Sequence[Candidate], question: Question) -> str:
    """Return which variant comes nearest to the limits, where none keeps them."""

    def worst(candidate: Candidate) -> float:
        return max(question.excess(candidate.costs).values())

    nearest = min(candidates, key=worst)
    parts = []
    for name, excess in question.excess(nearest.costs).items():
        if excess <= 0:
            continue
        quantity = QUANTITIES[name]
        most = question.limits[name]
        value = quantity.format(nearest.costs[name])
        parts.append(f"{quantity.label} {value} of {quantity.format(most)}")
    return f"the nearest is {nearest.variant}: {', '.join(parts)}"


def _with_fronts(
    candidates: Sequence[Candidate], question: Question, metric: Metric
) -> list[Candidate]:
    """Return the candidates with the costs in which they are on the front."""
    marked = []
    for candidate in candidates:
        fronts = []
        for name in question.costs:
            others = [other for other in candidates if _beats(other, candidate, name, metric)]
            if not others:
                fronts.append(name)
        marked.append(replace(candidate, fronts=tuple(fronts)))
    return marked


def _beats(one: Candidate, other: Candidate, cost: str, metric: Metric) -> bool:
    """Return whether a variant is as good and as cheap as another, and better in one of both."""
    is_same = one.value == other.value and one.costs[cost] == other.costs[cost]
    is_as_good = not metric.is_better(other.value, one.value)
    return not is_same and is_as_good and one.costs[cost] <= other.costs[cost]


def _is_done(trial: TrialRecord) -> bool:
    return trial.is_done


def _distinct(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the records, of each variant the last."""
    by_variant = {record.variant: record for record in records}
    return list(by_variant.values())


def _values_of_families(records: Sequence[TrialRecord]) -> dict[str, list[float]]:
    """Return family -> the metric of each of its seeds."""
    values: dict[str, list[float]] = {}
    for record in records:
        values.setdefault(record.family, []).append(record.value or 0.0)
    return values


def _noise(values_of_families: Iterable[list[float]]) -> float:
    """Return the standard deviation of the metric between seeds, over all families that have some.

    0 where no chain was tried with two seeds.
    """
    squares = 0.0
    freedom = 0
    for values in values_of_families:
        squares += float(np.sum((np.array(values) - np.mean(values)) ** 2))
        freedom += len(values) - 1
    if not freedom:
        return 0.0
    return math.sqrt(squares / freedom)


def _half_width(values: Float64Array) -> float | None:
    """Return half of the 95 % interval of the mean of values (n,); None for fewer than two."""
    if len(values) < 2:
        return None
    [estimate] = estimates(values[:, None])
    return estimate.half_width if estimate else None
