"""Whole numbers of units that keep the limits, near the real ones that a training has found."""

from collections.abc import Callable, Sequence

import numpy as np

from tinyprune.array_types import Float64Array, IntArray

#: counts (sets,) -> one number per limit, or per set
Measure = Callable[[IntArray], Float64Array]


def fit_counts(
    kept: Float64Array,
    sizes: Sequence[int],
    ratios: Measure,
    removed_importance: Measure,
    multiples: IntArray,
) -> IntArray | None:
    """Return how many units of each set stay, so that no limit is passed.

    First the multiples next to ``kept``. While that is too much, units go from the
    set where their importance is least for what they take: least loss per decrease of
    ``sum log ratio`` over limits that are passed, of the fewest steps that decrease it, as memory
    falls in stairs. Where several sets hold up the same peak no set alone does; then a step goes
    that has the least importance. At last units come back, of highest importance first, as long as
    there is room.

    Args:
        kept: (sets,), real numbers of units.
        sizes: (sets,), how many there are.
        ratios: (sets,) -> usage over what is allowed, one number per limit; it falls with every
            unit that goes.
        removed_importance: (sets,) -> importance of the units that go, set by set.
        multiples: (sets,), counts are multiples of these, except where a set stays whole or is
            smaller.

    Returns None if even the fewest units are too many.
    """
    largest = np.array(sizes, np.int64)
    least = np.minimum(largest, multiples)
    counts = np.clip(np.round(kept / multiples).astype(np.int64) * multiples, least, largest)
    is_nearer_to_all = np.asarray(kept) > largest - multiples / 2
    counts = np.where(is_nearer_to_all, largest, counts)
    while (ratios(counts) > 1).any():
        fewer = _remove_cheapest(counts, least, ratios, removed_importance, multiples)
        if fewer is None:
            return None
        counts = fewer
    return _add_back(counts, largest, ratios, removed_importance, multiples)


def _remove_cheapest(
    counts: IntArray,
    least: IntArray,
    ratios: Measure,
    removed_importance: Measure,
    multiples: IntArray,
) -> IntArray | None:
    """Return the counts with one set of fewer units; None if there is nothing that could go."""
    ratios_before = ratios(counts)
    importance_before = removed_importance(counts)
    passed = ratios_before > 1

    def gain(fewer: IntArray) -> float:
        return float(np.log(ratios_before[passed] / ratios(fewer)[passed]).sum())

    def loss(fewer: IntArray, number: int) -> float:
        return float(removed_importance(fewer)[number] - importance_before[number])

    helping: list[tuple[float, IntArray]] = []  # (price, counts)
    others: list[tuple[float, IntArray]] = []
    for number in map(int, np.flatnonzero(counts > least)):
        multiple = multiples[number]
        fewer = _with(counts, number, _next_below(counts[number], least[number], multiple))
        others.append((loss(fewer, number), fewer))
        if gain(_with(counts, number, least[number])) > 0:
            while gain(fewer) <= 0:
                below = _next_below(fewer[number], least[number], multiple)
                fewer = _with(counts, number, below)
            helping.append((loss(fewer, number) / gain(fewer), fewer))

    candidates = helping or others
    if not candidates:
        return None
    _, cheapest = min(candidates, key=lambda candidate: candidate[0])
    return cheapest


def _next_below(count: int, least: int, multiple: int) -> int:
    """Return the next multiple below a count, not less than the least."""
    return max(least, -(-count // multiple) * multiple - multiple)


def _with(counts: IntArray, number: int, count: int) -> IntArray:
    """Return the counts with another count of one set."""
    changed = counts.copy()
    changed[number] = count
    return changed


def _add_back(
    counts: IntArray,
    largest: IntArray,
    ratios: Measure,
    removed_importance: Measure,
    multiples: IntArray,
) -> IntArray:
    """Return as many more units as there is room for, those of highest importance first."""
    while True:
        importance = removed_importance(counts)
        best: IntArray | None = None
        best_gain = -1.0
        for number in map(int, np.flatnonzero(counts < largest)):
            multiple = multiples[number]
            count = min(largest[number], (counts[number] // multiple + 1) * multiple)
            more = _with(counts, number, count)
            has_room = (ratios(more) <= 1).all()
            if not has_room:
                continue
            gain = float(importance[number] - removed_importance(more)[number])
            if best is None or gain > best_gain:
                best = more
                best_gain = max(best_gain, gain)
        if best is None:
            return counts
        counts = best
