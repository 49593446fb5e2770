"""``unit``: which channels, neurons and LSTM units live and die together, what they are worth, and which of them stay.

Three nouns, kept apart as in Torch-Pruning (Fang et al. 2023, "DepGraph", arXiv 2301.12900): the
coupling says what goes together, the importance what it is worth, the schedule how much goes now. A
removable unit of the network has a number 0..units-1 wherever it shows up: an output of one kernel,
an input of the next, a channel of a residual stream.
-1 is a channel that always stays: an input or output of the network, or one that a layer reads which is not understood.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from tinyprune.array_types import BoolArray, Float64Array, FloatArray, IntArray
from tinyprune.sparsity.layout import Layout, canonical, canonical_shape, restored

Keep = BoolArray
#: (weights (n,), group ids (n,)) -> importance of each group (groups,)
Measure = Callable[[FloatArray, IntArray], Float64Array]


@dataclass(frozen=True)
class UnitSet:
    """Units that the same layers make, so that they can be ranked, counted and rounded together.

    Attributes:
        name: of the first layer that makes these units.
        start, size: their numbers are start .. start + size - 1.
    """

    name: str
    start: int
    size: int

    @property
    def slice(self) -> slice:
        """Where the set is in an array of all units."""
        return slice(self.start, self.start + self.size)


@dataclass(frozen=True, eq=False)
class Coupling:
    """Which unit each row and column of each kernel belongs to.

    Attributes:
        sets: all units, set by set, in the order of the network.
        inputs: kernel -> unit numbers of its inputs, as :func:`tinyprune.sparsity.layout.canonical`
            has them: a depthwise kernel has one, [-1].
        outputs: kernel -> unit numbers of its outputs: the units of an LSTM four times, gate by
            gate.
        layouts, shapes: kernel -> how its axes lie in Keras, and how long they are.
        channels: layer without a kernel that holds a number per channel (BatchNorm, PReLU) or names
            their count (Reshape) -> unit numbers of its last axis.
    """

    sets: tuple[UnitSet, ...]
    inputs: Mapping[str, IntArray]
    outputs: Mapping[str, IntArray]
    layouts: Mapping[str, Layout]
    shapes: Mapping[str, tuple[int, ...]]
    channels: Mapping[str, IntArray] = field(default_factory=dict)

    @property
    def units(self) -> int:
        """How many units can be removed."""
        return sum(item.size for item in self.sets)

    @cached_property
    def _slices(self) -> tuple[dict[str, Keep], IntArray]:
        """Kernel that makes units -> which of its outputs are units; the unit of each weight of these outputs."""
        live = {key: ids >= 0 for key, ids in self.outputs.items() if (ids >= 0).any()}
        rows = {
            key: int(np.prod(canonical_shape(self.shapes[key], self.layouts[key])[:-1]))
            for key in live
        }
        return live, np.concatenate(
            [np.tile(self.outputs[key][live[key]], rows[key]) for key in live]
        )

    def importance(self, values: Mapping[str, FloatArray], measure: Measure) -> Float64Array:
        """What each unit is worth, shape (units,): 1 is the mean of its set, so that sets can be ranked together.

        Args:
            values: kernel -> numbers of its Keras shape, weights or what the measure takes in their
                place.
            measure: given all weights that make units, flat, and the unit of each; one value per
                unit.
        """
        live, ids = self._slices
        columns = {
            key: canonical(values[key], self.layouts[key]).reshape(-1, len(mine))
            for key, mine in live.items()
        }
        flat = [
            matrix if live[key].all() else matrix[:, live[key]] for key, matrix in columns.items()
        ]
        worth = np.array(
            measure(np.concatenate([matrix.ravel() for matrix in flat]), ids), np.float64
        )
        for item in self.sets:
            finite = worth[item.slice][
                np.isfinite(worth[item.slice])
            ]  # +inf is never removed, and no scale
            worth[item.slice] /= (finite.mean() if len(finite) else 0) or 1
        return worth

    def masks(self, keep: Keep) -> dict[str, Keep]:
        """Masks of the kernels, of their Keras shapes: a weight stays if its input and its output do.

        Args:
            keep: (units,), True for those that stay.
        """
        masks = {}
        for key, shape in self.shapes.items():
            both = kept(self.inputs[key], keep)[:, None] & kept(self.outputs[key], keep)
            whole = np.broadcast_to(both, canonical_shape(shape, self.layouts[key]))
            masks[key] = restored(whole, self.layouts[key], shape).copy()
        return masks


def removable(coupling: Coupling, planned: Collection[str]) -> tuple[str, ...]:
    """Names of the sets whose units are made by the planned kernels alone; the others have units that must stay."""
    stay = np.zeros(coupling.units + 1, bool)
    for key, ids in coupling.outputs.items():
        if key not in planned:
            stay[ids] = True
    return tuple(item.name for item in coupling.sets if not stay[item.slice].any())


def only(coupling: Coupling, names: Collection[str]) -> Coupling:
    """The coupling in which only the sets of these names can lose units; the others' channels always stay."""
    sets: list[UnitSet] = []
    numbers = np.full(coupling.units + 1, -1)  # the last one is -1, no unit
    for item in coupling.sets:
        if item.name in names:
            start = sum(one.size for one in sets)
            numbers[item.slice] = np.arange(start, start + item.size)
            sets.append(replace(item, start=start))
    inputs, outputs, channels = (
        {key: numbers[ids] for key, ids in found.items()}
        for found in (coupling.inputs, coupling.outputs, coupling.channels)
    )
    return Coupling(tuple(sets), inputs, outputs, coupling.layouts, coupling.shapes, channels)


def kept(ids: IntArray, keep: Keep) -> Keep:
    """Which channels stay, of ``ids``' shape: those of kept units, and those that are no unit (-1)."""
    return np.append(keep, True)[ids]


def keep_units(
    importance: Float64Array,
    coupling: Coupling,
    sparsity: float,
    scope: str,
    round_to: int | None,
) -> Keep:
    """Which units stay, (units,): all but the ``floor(sparsity * units)`` of least importance, rounded set by set.

    Args:
        importance: (units,); +inf is never removed.
        coupling: its sets.
        sparsity: fraction of units to remove.
        scope: "global" ranks the units of all sets together, "layer" those of each set alone.
        round_to: the kept units of each set are rounded to the nearest multiple of it (a half goes
            up), but a set from which nothing goes stays whole; None does not round. Every set keeps
            ``min(size, round_to or 1)`` at least.
    """
    keep = np.zeros(len(importance), bool)
    for item, count in zip(
        coupling.sets, _counts(importance, coupling, sparsity, scope), strict=True
    ):
        best = np.argsort(-importance[item.slice], kind="stable")
        fewest = max(min(item.size, round_to or 1), int(np.isposinf(importance[item.slice]).sum()))
        keep[item.start + best[: max(_rounded(count, item.size, round_to), fewest)]] = True
    return keep


def clamped(
    importance: Float64Array,
    coupling: Coupling,
    sparsity: float,
    scope: str,
    round_to: int | None,
) -> tuple[str, ...]:
    """Names of the sets of which nothing would be left, had :func:`keep_units` not a least number for each."""
    counts = _counts(importance, coupling, sparsity, scope)
    pairs = zip(coupling.sets, counts, strict=True)
    return tuple(
        item.name for item, count in pairs if not (count and _rounded(count, item.size, round_to))
    )


def _counts(importance: Float64Array, coupling: Coupling, sparsity: float, scope: str) -> list[int]:
    """How many units of each set stay by rank alone."""
    ranked = (
        [item.slice for item in coupling.sets] if scope == "layer" else [slice(0, len(importance))]
    )
    keep = np.isposinf(importance)
    for part in ranked:
        values = importance[part]
        count = int(
            np.floor(sparsity * len(values) + 1e-9)
        )  # 0.3 * 10 must be 3 in binary floats too
        keep[part.start + np.argsort(values, kind="stable")[count:]] = True
    return [int(keep[item.slice].sum()) for item in coupling.sets]


def _rounded(count: int, size: int, round_to: int | None) -> int:
    """The nearest multiple, 0 too; a set that stays whole has nothing to round, one below a multiple stays whole."""
    if round_to is None:
        return count
    if count == size or size < round_to:
        return size
    return min((2 * count + round_to) // (2 * round_to) * round_to, size)
