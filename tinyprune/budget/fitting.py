"""Whole numbers of units that keep the limits, near the real ones that a training has found."""

from collections.abc import Callable, Sequence

import numpy as np

from tinyprune.array_types import Float64Array, IntArray

Measure = Callable[[IntArray], Float64Array]


def fitted(
    wanted: Float64Array, sizes: Sequence[int], ratios: Measure, lost: Measure, step: int
) -> IntArray | None:
    """How many units of each set stay so that no limit is passed; None if even the fewest are too many.

    First the multiple of ``step`` next to what is wanted. While that is too much, units go from the
    set where they are
    worth least for what they take: least loss per decrease of ``sum log ratio`` over limits that
        are passed, of the
    fewest steps that decrease it: memory falls in stairs. Where several sets hold up the same peak
        no set alone does;
    then a step goes that is worth least. At last units come back, of highest worth first, as long
    as there is room.

    Args:
        wanted: (sets,), real numbers.
        sizes: (sets,), how many there are.
        ratios: (sets,) -> what that takes over what it may take, one number per limit; falls with
            every unit that goes.
        lost: (sets,) -> what the units that go are worth together, set by set.
        step: counts are multiples of it, except where a set stays whole or is smaller.
    """
    whole = np.array(sizes, np.int64)
    least = np.minimum(whole, step)
    counts = np.clip(np.round(wanted / step).astype(np.int64) * step, least, whole)
    counts = np.where(np.asarray(wanted) > whole - step / 2, whole, counts)  # nearer to all of them
    while (ratios(counts) > 1).any():
        found = _cheapest(counts, least, ratios, lost, step)
        if found is None:
            return None
        counts = found
    return _filled(counts, whole, ratios, lost, step)


def _cheapest(
    counts: IntArray, least: IntArray, ratios: Measure, lost: Measure, step: int
) -> IntArray | None:
    """One set with fewer units; None if there is nothing that could go."""
    before, worth = ratios(counts), lost(counts)
    passed = before > 1

    def gain(fewer: IntArray) -> float:
        return float(np.log(before[passed] / ratios(fewer)[passed]).sum())

    helps, others = [], []  # (price, counts)
    for number in map(int, np.flatnonzero(counts > least)):
        fewer = _with(counts, number, _below(counts[number], least[number], step))
        others.append((float(lost(fewer)[number] - worth[number]), fewer))
        if gain(_with(counts, number, least[number])) > 0:
            while gain(fewer) <= 0:
                fewer = _with(counts, number, _below(fewer[number], least[number], step))
            helps.append((float(lost(fewer)[number] - worth[number]) / gain(fewer), fewer))
    return min(helps or others, key=lambda found: found[0], default=(0.0, None))[1]


def _below(count: int, least: int, step: int) -> int:
    """The next multiple below a count, not less than the least."""
    return max(least, -(-count // step) * step - step)


def _with(counts: IntArray, number: int, count: int) -> IntArray:
    changed = counts.copy()
    changed[number] = count
    return changed


def _filled(
    counts: IntArray, whole: IntArray, ratios: Measure, lost: Measure, step: int
) -> IntArray:
    """As many more units as fit, those of highest worth first."""
    while True:
        worth, best = lost(counts), None
        for number in map(int, np.flatnonzero(counts < whole)):
            more = _with(counts, number, min(whole[number], (counts[number] // step + 1) * step))
            if (ratios(more) <= 1).all():
                gain = float(worth[number] - lost(more)[number])
                best = max(best or (-1.0, more), (gain, more), key=lambda found: found[0])
        if best is None:
            return counts
        counts = best[1]
