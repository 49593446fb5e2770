"""The largest network with the same part of its units everywhere within a budget; and that network untrained."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from tinyprune.compress.coupling import coupling
from tinyprune.compress.remove import remove
from tinyprune.sparsity.unit_sets import Coupling, Keep, keep_units

STEP = 0.005  # of the sparsities that are tried


@dataclass(frozen=True)
class Width:
    """The units that stay, the same part of every set.

    Attributes:
        sparsity, round_to: of a unit pruning with scope "layer" that leaves as many.
    """

    sparsity: float
    round_to: int


def first_units(units: Coupling, width: Width) -> Keep:
    """Return the first units of every set, as many as a unit pruning of that width leaves, (units,)."""
    return keep_units(np.ones(units.units), units, width.sparsity, "layer", width.round_to)


def narrowed(model: keras.Model, width: Width) -> keras.Model:
    """Return the model with only the first units of every set."""
    units = coupling(model)
    return remove(model, units, first_units(units, width))


def untrained(model: keras.Model, width: Width, seed: int) -> keras.Model:
    """Return the narrower architecture with fresh weights, drawn for its sizes."""
    keras.utils.set_random_seed(seed)
    return keras.models.clone_model(narrowed(model, width))


def widths(units: Coupling, round_to: int) -> list[Width]:
    """Return all widths that differ, widest first."""
    known: dict[tuple[int, ...], Width] = {}
    for sparsity in np.arange(0, 1, STEP):
        width = Width(round(float(sparsity), 6), round_to)
        keep = first_units(units, width)
        counts = tuple(int(keep[item.slice].sum()) for item in units.sets)
        known.setdefault(counts, width)
    return list(known.values())


def widths_within(
    model: keras.Model,
    is_within: Callable[[keras.Model], bool],
    macs: Callable[[keras.Model], float],
    rounds: Sequence[int],
) -> Iterator[Width]:
    """Yield the widths within a budget, widest first.

    Of several roundings, the one that leaves most MACs is taken.

    Args:
        model: canonical.
        is_within: True for a model that keeps the budget; narrower ones are taken to keep it too.
        macs: of a model.
        rounds: the multiples that numbers of units may be rounded to.
    """
    units = coupling(model)
    ladders = []
    for round_to in rounds:
        ladder = widths(units, round_to)
        first = _first_within(model, ladder, is_within)
        if first < len(ladder):
            ladders.append(ladder[first:])
    if ladders:
        yield from max(ladders, key=lambda ladder: macs(narrowed(model, ladder[0])))


def _first_within(
    model: keras.Model, ladder: Sequence[Width], is_within: Callable[[keras.Model], bool]
) -> int:
    """Return the number of the widest that is within, by bisection; ``len(ladder)`` if none is."""
    low, high = 0, len(ladder)
    while low < high:
        middle = (low + high) // 2
        if is_within(narrowed(model, ladder[middle])):
            high = middle
        else:
            low = middle + 1
    return low
