"""The largest network with the same part of its units everywhere that fits a budget, and that network untrained."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import keras
import numpy as np

from tinyprune.compress.coupling import coupling
from tinyprune.compress.remove import remove
from tinyprune.sparsity.unit_sets import Coupling, Keep, keep_units

STEP = 0.005  # of the sparsities that are tried


class Width(NamedTuple):
    """How many units stay, the same part of every set.

    Attributes:
        sparsity, round_to: of a unit pruning with scope "layer" that leaves as many.
    """

    sparsity: float
    round_to: int


def first_units(found: Coupling, width: Width) -> Keep:
    """The first units of every set, as many as a unit pruning of that width leaves, (units,)."""
    return keep_units(np.ones(found.units), found, width.sparsity, "layer", width.round_to)


def cut(model: keras.Model, width: Width) -> keras.Model:
    """The model with only the first units of every set."""
    found = coupling(model)
    return remove(model, found, first_units(found, width))


def untrained(model: keras.Model, width: Width, seed: int) -> keras.Model:
    """The narrower architecture with weights of its own: fresh, drawn for its sizes; nothing of the model is left."""
    keras.utils.set_random_seed(seed)
    return keras.models.clone_model(cut(model, width))


def widths(found: Coupling, round_to: int) -> list[Width]:
    """All that differ, widest first."""
    known: dict[tuple[int, ...], Width] = {}
    for sparsity in np.arange(0, 1, STEP):
        width = Width(round(float(sparsity), 6), round_to)
        keep = first_units(found, width)
        known.setdefault(tuple(int(keep[item.slice].sum()) for item in found.sets), width)
    return list(known.values())


def fitting(
    model: keras.Model,
    fits: Callable[[keras.Model], bool],
    macs: Callable[[keras.Model], float],
    rounds: Sequence[int],
) -> Iterator[Width]:
    """The widths that fit, widest first: of those rounded in one of several ways, the way that has most MACs.

    Args:
        model: canonical.
        fits: whether a narrower model does; if one does, those that are narrower still are taken to
            do so too.
        macs: of a model.
        rounds: what numbers of units may be multiples of.
    """
    found, ways = coupling(model), []
    for round_to in rounds:
        ladder = widths(found, round_to)
        number = _first(len(ladder), lambda at, ladder=ladder: fits(cut(model, ladder[at])))
        if number < len(ladder):
            ways.append(ladder[number:])
    if ways:
        yield from max(ways, key=lambda way: macs(cut(model, way[0])))


def _first(count: int, holds: Callable[[int], bool]) -> int:
    """The first of the numbers from 0 that holds, if all after it do; ``count`` if none does."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
