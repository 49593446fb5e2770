"""``unit``: the channels, neurons and LSTM units that live and die together, and those that stay.

Three nouns, kept apart as in Torch-Pruning (Fang et al. 2023, "DepGraph", arXiv 2301.12900): the
coupling says what goes together, the importance what it is worth, the schedule how much goes now. A
removable unit of the network has a number 0..units-1 wherever it shows up: an output of one kernel,
an input of the next, a channel of a residual stream. -1 is a channel that always stays: an input or
output of the network, or one that is read by a layer that is not understood.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from tinyprune.array_types import BoolArray, Float64Array, FloatArray, IntArray
from tinyprune.sparsity.importance import in_units_of_kernel
from tinyprune.sparsity.layout import Layout, canonical, canonical_shape, restored
from tinyprune.sparsity.masks import groups_to_mask

Keep = BoolArray
#: (weights (n,), group ids (n,)) -> importance of each group (groups,)
Measure = Callable[[FloatArray, IntArray], Float64Array]


@dataclass(frozen=True)
class UnitSet:
    """Units that the same layers make, so that they can be ranked, counted and rounded together.

    Attributes:
        name: of the first layer that makes these units.
        start, size: their numbers are start .. start + size - 1.
        width: channels of a unit in that layer; those of a head of attention lie side by side.
    """

    name: str
    start: int
    size: int
    width: int = 1

    @property
    def slice(self) -> slice:
        """The place of the set in an array of all units."""
        return slice(self.start, self.start + self.size)

    def multiple(self, round_to: int | None) -> int | None:
        """Return the multiple of units that makes a multiple of ``round_to`` channels."""
        return None if round_to is None else max(1, round_to // self.width)

    def can_shrink(self, round_to: int) -> bool:
        """Return whether a unit can go where multiples of ``round_to`` channels stay."""
        return self.size > max(1, round_to // self.width)


@dataclass(frozen=True, eq=False)
class Coupling:
    """The unit of each row and column of each kernel.

    Attributes:
        sets: all units, set by set, in the order of the network.
        inputs: kernel -> unit numbers of its inputs, as :func:`tinyprune.sparsity.layout.canonical`
            has them: a depthwise kernel has one, [-1].
        outputs: kernel -> unit numbers of its outputs: the units of an LSTM four times, gate by
            gate.
        layouts, shapes: kernel -> how its axes lie in Keras, and how long they are.
        passing: kernels that are never learned: their outputs are units that others make.
        channels: layer without a kernel that holds a number per channel (BatchNorm, PReLU) or names
            their count (Reshape) -> unit numbers of its last axis.
    """

    sets: tuple[UnitSet, ...]
    inputs: Mapping[str, IntArray]
    outputs: Mapping[str, IntArray]
    layouts: Mapping[str, Layout]
    shapes: Mapping[str, tuple[int, ...]]
    channels: Mapping[str, IntArray] = field(default_factory=dict)
    passing: frozenset[str] = frozenset()

    @property
    def makers(self) -> Mapping[str, IntArray]:
        """Kernel that makes units -> unit numbers of its outputs."""
        return {key: ids for key, ids in self.outputs.items() if key not in self.passing}

    @property
    def units(self) -> int:
        """Number of units that can be removed."""
        return sum(item.size for item in self.sets)

    def can_shrink(self, units: Collection[int], round_to: int) -> bool:
        """Return whether some of these units can go where each set keeps multiples of channels."""
        for item in self.sets:
            is_of_set = any(item.start <= unit < item.start + item.size for unit in units)
            if is_of_set and item.can_shrink(round_to):
                return True
        return False

    def multiples(self, round_to: int) -> IntArray:
        """Return the multiples of units that make multiples of ``round_to`` channels, (sets,).

        A head of attention that has as many channels or more is a multiple by itself.
        """
        return np.array([item.multiple(round_to) for item in self.sets], np.int64)

    def importance(self, values: Mapping[str, FloatArray], measure: Measure) -> Float64Array:
        """Return the importance of each unit, (units,); 1 is the mean of its set.

        So sets can be ranked together.

        Args:
            values: kernel -> numbers of its Keras shape, weights or what the measure takes in their
                place.
            measure: function of all weights that make units, flat, and the unit of each, to one
                value per unit.
        """
        weights = self._weights_of_units(values)
        importance = np.array(measure(weights, self._unit_of_weights), np.float64)
        for item in self.sets:
            of_set = importance[item.slice]
            finite = of_set[np.isfinite(of_set)]  # +inf is never removed, and no scale
            mean = finite.mean() if len(finite) else 0
            of_set /= mean or 1
        return importance

    def scale_free_importance(
        self, values: Mapping[str, FloatArray], measure: Measure
    ) -> Float64Array:
        """Return the importance of each unit, (units,), by a measure that is free of scale.

        A set is to the measure what a kernel is; the kernels that make it count alike. Arguments
        are those of :meth:`importance`.
        """
        in_units = {key: in_units_of_kernel(values[key]) for key in self._unit_columns}
        weights = self._weights_of_units(in_units)
        importance = np.zeros(self.units)
        for item in self.sets:
            numbers = self._unit_of_weights - item.start
            is_of_set = (numbers >= 0) & (numbers < item.size)
            importance[item.slice] = measure(weights[is_of_set], numbers[is_of_set])
        return importance

    def _weights_of_units(self, values: Mapping[str, FloatArray]) -> FloatArray:
        """All weights that make units, flat, kernel after kernel."""
        weights = []
        for key, is_unit in self._unit_columns.items():
            outputs = len(is_unit)
            matrix = canonical(values[key], self.layouts[key]).reshape(-1, outputs)
            weights.append((matrix if is_unit.all() else matrix[:, is_unit]).ravel())
        return np.concatenate(weights)

    @cached_property
    def _unit_columns(self) -> dict[str, Keep]:
        """For each kernel that makes units, the columns that are units, (outputs,)."""
        columns = {key: ids >= 0 for key, ids in self.makers.items()}
        return {key: is_unit for key, is_unit in columns.items() if is_unit.any()}

    @cached_property
    def _unit_of_weights(self) -> IntArray:
        """The unit of each weight of these columns, kernel after kernel."""
        units = []
        for key, is_unit in self._unit_columns.items():
            shape = canonical_shape(self.shapes[key], self.layouts[key])
            rows = int(np.prod(shape[:-1]))
            units.append(np.tile(self.outputs[key][is_unit], rows))
        return np.concatenate(units)

    def masks(self, keep: Keep) -> dict[str, Keep]:
        """Return masks of the kernels, of their Keras shapes.

        A weight stays if its input and its output do.

        Args:
            keep: (units,), True for those that stay.
        """
        masks = {}
        for key, shape in self.shapes.items():
            layout = self.layouts[key]
            matrix = kept(self.inputs[key], keep)[:, None] & kept(self.outputs[key], keep)
            standard = np.broadcast_to(matrix, canonical_shape(shape, layout))
            masks[key] = restored(standard, layout, shape).copy()
        return masks


def removable(coupling: Coupling, planned: Collection[str]) -> tuple[str, ...]:
    """Return the names of the sets whose units are made by the planned kernels alone.

    The others have units that must stay.
    """
    stays = np.zeros(coupling.units + 1, bool)
    for key, ids in coupling.makers.items():
        if key not in planned:
            stays[ids] = True
    return tuple(item.name for item in coupling.sets if not stays[item.slice].any())


def only(coupling: Coupling, names: Collection[str]) -> Coupling:
    """Return the coupling in which only the sets of these names can lose units.

    The others' channels always stay.
    """
    sets: list[UnitSet] = []
    renumbered = np.full(coupling.units + 1, -1)  # the last one is -1, no unit
    start = 0
    for item in coupling.sets:
        if item.name in names:
            renumbered[item.slice] = np.arange(start, start + item.size)
            sets.append(replace(item, start=start))
            start += item.size

    def taken_over(ids_by_key: Mapping[str, IntArray]) -> dict[str, IntArray]:
        return {key: renumbered[ids] for key, ids in ids_by_key.items()}

    return replace(
        coupling,
        sets=tuple(sets),
        inputs=taken_over(coupling.inputs),
        outputs=taken_over(coupling.outputs),
        channels=taken_over(coupling.channels),
    )


def kept(ids: IntArray, keep: Keep) -> Keep:
    """Mark the channels that stay, of ``ids``' shape: of kept units, and those that are none."""
    return np.append(keep, True)[ids]


def keep_units(
    importance: Float64Array,
    coupling: Coupling,
    sparsity: float,
    scope: str,
    round_to: int | None,
    ranked: BoolArray | None = None,
) -> Keep:
    """Return which units stay, (units,).

    All but the ``floor(sparsity * ranked units)`` of least importance stay, rounded set by set.

    Args:
        importance: (units,); +inf is never removed.
        coupling: its sets.
        sparsity: fraction of the ranked units to remove.
        scope: "global" ranks the units of all sets together, "layer" those of each set alone.
        round_to: the kept channels of each set are rounded to the nearest multiple of it (a half
            goes up), but a set from which nothing goes stays whole; None does not round. Every set
            keeps ``min(size, round_to or 1)`` channels at least.
        ranked: (units,), those that may go; None: all.
    """
    if ranked is not None:
        importance = np.where(ranked, importance, np.inf)
    keep = np.zeros(len(importance), bool)
    counts = _kept_counts(importance, coupling, sparsity, scope, ranked)
    for item, count in zip(coupling.sets, counts, strict=True):
        of_set = importance[item.slice]
        never_removed = int(np.isposinf(of_set).sum())
        multiple = item.multiple(round_to)
        fewest = max(min(item.size, multiple or 1), never_removed)
        number = max(_rounded(count, item.size, multiple), fewest)
        best_first = np.argsort(-of_set, kind="stable")
        keep[item.start + best_first[:number]] = True
    return keep


def clamped(
    importance: Float64Array,
    coupling: Coupling,
    sparsity: float,
    scope: str,
    round_to: int | None,
    ranked: BoolArray | None = None,
) -> tuple[str, ...]:
    """Return the names of the sets that :func:`keep_units` leaves a unit only by its least number.

    Arguments are those of :func:`keep_units`.
    """
    counts = _kept_counts(importance, coupling, sparsity, scope, ranked)
    names = []
    for item, count in zip(coupling.sets, counts, strict=True):
        if count == 0 or _rounded(count, item.size, item.multiple(round_to)) == 0:
            names.append(item.name)
    return tuple(names)


def _kept_counts(
    importance: Float64Array,
    coupling: Coupling,
    sparsity: float,
    scope: str,
    ranked: BoolArray | None,
) -> list[int]:
    """Numbers of units of each set that stay by rank alone."""
    may_go = np.ones(len(importance), bool) if ranked is None else ranked
    ranked_together = [slice(0, len(importance))]
    if scope == "layer":
        ranked_together = [item.slice for item in coupling.sets]
    keep = np.isposinf(importance) | ~may_go
    for part in ranked_together:
        places = part.start + np.flatnonzero(may_go[part])
        least_first = np.argsort(importance[places], kind="stable")
        keep[places[least_first[groups_to_mask(sparsity, len(places)) :]]] = True
    return [int(keep[item.slice].sum()) for item in coupling.sets]


def _rounded(count: int, size: int, round_to: int | None) -> int:
    """The nearest multiple, 0 too.

    A set that stays whole has nothing to round, one below a multiple stays whole.
    """
    if round_to is None:
        return count
    if count == size or size < round_to:
        return size
    multiples = (2 * count + round_to) // (2 * round_to)
    return min(multiples * round_to, size)
