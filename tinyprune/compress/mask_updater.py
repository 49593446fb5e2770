"""Masks that follow a schedule while the network trains."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tinyprune.array_types import BoolArray, Float64Array, FloatArray, IntArray
from tinyprune.artifacts.network import TensorSparsity, nearly_empty
from tinyprune.compress.kinds.base import kernels
from tinyprune.compress.prepare import compressed_layers
from tinyprune.errors import CheckFailed
from tinyprune.registry import IMPORTANCES, SCHEDULES
from tinyprune.sparsity.floor import fewest_groups, floor_of, protected
from tinyprune.sparsity.importance import FROM_GRADIENTS, SCALE_FREE
from tinyprune.sparsity.layout import canonical, canonical_shape, restored
from tinyprune.sparsity.masks import groups_to_mask, masks
from tinyprune.sparsity.plan import LayerPlan, PruningPlan
from tinyprune.sparsity.schedules import Schedule
from tinyprune.sparsity.structure import Structure
from tinyprune.sparsity.unit_sets import Coupling, Keep, clamped, keep_units

log = logging.getLogger(__name__)
MASKS = "masks.npz"
#: Share of the units that a sparsity asks for; where fewer go, that is said.
MOST_LOST_BY_ROUNDING = 0.5
SEEN_STEPS = 100  # of gradients, before they rank anything: as many as their moving average is long

Masks = dict[str, FloatArray]


@dataclass(frozen=True)
class Steps:
    """The optimizer steps of a schedule.

    Attributes:
        begin, end: the first and the last step at which masks may change.
        frequency: steps between two updates.
    """

    begin: int
    end: int
    frequency: int


class MaskUpdater:
    """Lets the masks of a prepared model follow a schedule while it trains.

    Kernels of one structure and final sparsity are a pool: they share a schedule and, under a
    global scope, a ranking. Weights that are masked from the start (a variant of a variant) stay
    masked. An importance that follows gradients ranks nothing before it has seen some: its schedule
    does not begin before a tenth of the steps, 100 at most.

    Attributes:
        plan: the plan of the pruning.
        steps: optimizer steps of the whole training.
        begin_step, end_step: of the schedule, in optimizer steps; after ``end_step`` the masks stay
            as they are.
    """

    def __init__(
        self,
        prepared: keras.Model,
        plan: PruningPlan,
        steps: int,
        coupling: Coupling | None = None,
        inherited: Mapping[str, FloatArray] | None = None,
    ) -> None:
        """Begin a training of ``steps`` optimizer steps.

        Args:
            prepared: the model, with masks.
            plan: of the model.
            steps: of the whole training.
            coupling: of the model's units, if any are removed.
            inherited: kernel -> mask that it has from its base.
        """
        self.plan = plan
        self.steps = steps
        schedule = _schedule_steps(plan, steps)
        self.begin_step = schedule.begin
        self.end_step = schedule.end
        self._layers = compressed_layers(prepared)
        self._by_name = {layer.name: layer for layer in self._layers}
        self._inherited = dict(inherited or {})
        self._assign(self._inherited)

        self._pools: list[_GroupPool | _UnitPool] = []
        for items in _by_structure_and_sparsity(plan.layers):
            if items[0].structure.name == "unit":
                assert coupling is not None, "units have a coupling"
                self._pools.append(_UnitPool(items, plan, coupling, schedule))
            else:
                pool = _GroupPool(items, plan, self._kernels(), schedule, self._inherited)
                self._pools.append(pool)

    def update(self, step: int) -> bool:
        """Before optimizer step ``step`` (from 0): set the masks if the schedule says so.

        Returns whether it did.
        """
        if not self._is_due(step):
            return False
        is_final = step == self.end_step
        values = self._values()
        updated = dict(self._inherited)
        for pool in self._pools:
            for key, mask in pool.masks(values, step, is_final).items():
                updated[key] = updated[key] * mask if key in updated else mask
        self._assign(updated)
        if is_final:
            self._warn_of_empty_kernels(updated)
        return True

    def observe(self, variables: Sequence[keras.Variable], gradients: Sequence[tf.Tensor]) -> None:
        """In the compiled step: show the gradients to importances that follow them.

        See :meth:`tinyprune.compress.layers.Compressed.observe`.
        """
        by_variable = {}
        for variable, gradient in zip(variables, gradients, strict=True):
            by_variable[id(variable)] = gradient
        for layer in filter(_is_learned, self._layers):
            of_layer = {name: by_variable[id(kernel)] for name, kernel in kernels(layer).items()}
            layer.observe(of_layer)

    def final(self, step: int) -> bool:
        """Return whether the masks that act after ``step`` steps are the final ones."""
        return step > self.end_step

    def _is_due(self, step: int) -> bool:
        if not self.begin_step <= step <= self.end_step:
            return False
        return any(pool.is_due(step) for pool in self._pools)

    def _assign(self, masks: Mapping[str, FloatArray]) -> None:
        for key, mask in masks.items():
            layer, _, name = key.rpartition("/")
            self._by_name[layer].masks[name].assign(mask)

    def _kernels(self) -> dict[str, FloatArray]:
        """The kernels as they are now."""
        return _arrays_by_key(self._layers, kernels)

    def _values(self) -> dict[str, FloatArray]:
        """The arrays that importances rank: deployed kernels, or what gradients have left."""
        if self.plan.importance in FROM_GRADIENTS:
            return _arrays_by_key(self._layers, lambda layer: layer.saliency)
        values = self._kernels()
        for key in values:
            layer, _, _ = key.rpartition("/")
            values[key] = values[key] * np.asarray(self._by_name[layer].factor(), np.float32)
        return values

    def _warn_of_empty_kernels(self, masks: Masks) -> None:
        lost = nearly_empty(sparsity_of_masks(masks))
        if not lost:
            return
        advice = "; try --scope layer, or --exclude it" if self.plan.scope == "global" else ""
        log.warning("%s at sparsity %g%s", lost, self.plan.sparsity, advice)


def _is_learned(layer: Any) -> bool:
    """Return whether a layer has kernels that get a gradient."""
    return bool(layer.trainable)


def _schedule_steps(plan: PruningPlan, steps: int) -> Steps:
    """The steps of the plan's schedule in a training of ``steps`` optimizer steps."""
    begin, end, frequency = plan.steps(steps)
    if plan.importance in FROM_GRADIENTS:
        seen = min(SEEN_STEPS, max(1, steps // 10), steps - 1)
        begin = max(begin, seen)
        end = max(begin, end)
    if plan.schedule == "one-shot":
        end = begin
    return Steps(begin, end, frequency)


def _by_structure_and_sparsity(layers: Sequence[LayerPlan]) -> list[list[LayerPlan]]:
    """The plans, those of one structure and final sparsity together."""
    together: dict[tuple[Structure, float], list[LayerPlan]] = {}
    for item in layers:
        together.setdefault((item.structure, item.final_sparsity), []).append(item)
    return list(together.values())


class _Pool:
    """The common part of the two kinds of pools: a schedule and an importance."""

    def __init__(
        self, items: list[LayerPlan], plan: PruningPlan, initial_sparsity: float, steps: Steps
    ) -> None:
        self.plan = plan
        self.importance = IMPORTANCES[plan.importance]
        self._final_sparsity = items[0].final_sparsity
        self._end_step = steps.end
        self._schedule: Schedule = SCHEDULES[plan.schedule](
            min(initial_sparsity, self._final_sparsity),
            self._final_sparsity,
            steps.begin,
            steps.end,
            steps.frequency,
        )

    def is_due(self, step: int) -> bool:
        """Return whether masks change before a step; TFMOT may not touch the last step."""
        is_scheduled, _ = self._schedule(step)
        return bool(is_scheduled) or step == self._end_step

    def sparsity(self, step: int) -> float:
        """Return the sparsity at a step; TFMOT has it in float32."""
        if step == self._end_step:
            return self._final_sparsity
        _, sparsity = self._schedule(step)
        return round(float(sparsity), 6)


class _GroupPool(_Pool):
    """Kernels whose groups are ranked together: weights, blocks, runs."""

    def __init__(
        self,
        items: list[LayerPlan],
        plan: PruningPlan,
        kernels: Mapping[str, FloatArray],
        steps: Steps,
        inherited: Masks,
    ) -> None:
        self._structure = items[0].structure
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._ids: dict[str, IntArray] = {}
        self._gone: dict[str, BoolArray] = {}  # groups that the base has masked
        standard_ids: dict[str, IntArray] = {}  # in canonical shape
        magnitude = IMPORTANCES["l1"]
        zero_groups = 0
        for item in items:
            shape = canonical_shape(item.shape, item.layout)
            standard_ids[item.key] = item.groups_of_weights()
            ids = restored(standard_ids[item.key], item.layout, item.shape)
            self._shapes[item.key] = shape
            self._ids[item.key] = ids  # in the kernel's own shape
            if item.key in inherited:
                self._gone[item.key] = magnitude(inherited[item.key], ids) == 0
            zero_groups += int((magnitude(kernels[item.key], ids) == 0).sum())
        all_groups = sum(item.groups for item in items)
        super().__init__(items, plan, zero_groups / all_groups, steps)
        last = [item.key for item in items if item.makes_outputs]
        self._floor = floor_of(standard_ids, self._final_sparsity, plan.floor, plan.scope, last)

    def masks(self, values: Mapping[str, FloatArray], step: int, is_final: bool) -> Masks:
        """Return the masks of the kernels at a step."""
        del is_final
        importances = {}
        for key, ids in self._ids.items():
            importance = self.importance(values[key], ids)
            if key in self._gone:  # what gets no gradient is worth nothing too: go before it
                importance = np.where(self._gone[key], -1.0, importance)
            ranked = self._structure.ranked(importance, self._shapes[key])
            importances[key] = self._floor.protect(key, ranked)
        return dict(masks(importances, self._ids, self.sparsity(step), self.plan.scope))


class _UnitPool(_Pool):
    """Coupled units."""

    def __init__(
        self, items: list[LayerPlan], plan: PruningPlan, coupling: Coupling, steps: Steps
    ) -> None:
        super().__init__(items, plan, 0.0, steps)
        self._coupling = coupling
        self._ranked = self._units_that_may_go({item.key for item in items})

    def _units_that_may_go(self, planned: set[str]) -> BoolArray:
        """Mark units, (units,): none of a kernel that is left alone or has another structure."""
        may_go = np.ones(self._coupling.units + 1, bool)  # the last one is -1, no unit
        for key, ids in self._coupling.makers.items():
            if key not in planned:
                may_go[ids] = False
        return may_go[:-1]

    def masks(self, values: Mapping[str, FloatArray], step: int, is_final: bool) -> Masks:
        """Return the masks of all kernels that make or read units.

        At the end the units of each set are a multiple of ``round_to``.

        Raises CheckFailed where none goes by that.
        """
        importance = self._importance(values)
        sparsity = self.sparsity(step)
        scope = self.plan.scope
        round_to = self.plan.round_to if is_final else None
        keep = keep_units(importance, self._coupling, sparsity, scope, round_to, self._ranked)
        if is_final:
            sets = clamped(importance, self._coupling, sparsity, scope, round_to, self._ranked)
            self._warn_of_clamped(sets)
            self._check_removed(keep)
        unit_masks = self._coupling.masks(keep)
        return {key: mask.astype(np.float32) for key, mask in unit_masks.items()}

    def _importance(self, values: Mapping[str, FloatArray]) -> Float64Array:
        """The importance of all units, with those that the floor of their set protects at +inf."""
        if self.plan.importance in SCALE_FREE:
            importance = self._coupling.scale_free_importance(values, self.importance)
        else:
            importance = self._coupling.importance(values, self.importance)
        for item in self._coupling.sets:
            fewest = fewest_groups(item.size, self._final_sparsity, self.plan.floor)
            fewest -= fewest % self.plan.round_to  # rounding keeps that many in any case
            importance[item.slice] = protected(importance[item.slice], fewest)
        return importance

    def _warn_of_clamped(self, sets: tuple[str, ...]) -> None:
        if sets:
            log.warning(
                "%s would have no unit left at sparsity %g: kept %d",
                ", ".join(sets),
                self._final_sparsity,
                self.plan.round_to,
            )

    def _check_removed(self, keep: Keep) -> None:
        """Say where far fewer units go than the sparsity asks for, because of rounding.

        Raises CheckFailed where none goes.
        """
        rankable = int(self._ranked.sum())
        asked = groups_to_mask(self._final_sparsity, rankable)
        gone = int((self._ranked & ~keep).sum())
        if gone >= MOST_LOST_BY_ROUNDING * asked:
            return
        found = (
            f"{gone} of {rankable} units go where sparsity {self._final_sparsity:g} asks for "
            f"{asked}: what stays is rounded to multiples of {self.plan.round_to}; try a smaller "
            "--round-to, or a higher --sparsity"
        )
        if gone == 0:
            raise CheckFailed(found)
        log.warning("%s", found)


def sparsity_of_masks(masks: Mapping[str, FloatArray]) -> list[TensorSparsity]:
    """Return the zeros of masks, or of kernels, as those of tensors."""
    found = []
    for key, mask in masks.items():
        zeros = int((mask == 0).sum())
        found.append(TensorSparsity(key, mask.size, zeros, zeros))
    return found


def read_masks(prepared: keras.Model) -> Masks:
    """Return ``layer/kernel`` -> mask of a prepared model, each of its kernel's shape."""
    return _arrays_by_key(compressed_layers(prepared), lambda layer: layer.masks)


def _arrays_by_key(
    layers: Sequence[Any], variables: Callable[[Any], Mapping[str, keras.Variable]]
) -> dict[str, FloatArray]:
    """``layer/kernel`` -> array, of variables that a layer has by the names of its kernels."""
    arrays = {}
    for layer in layers:
        for name, variable in variables(layer).items():
            arrays[f"{layer.name}/{name}"] = variable.numpy()
    return arrays


def kept_units(coupling: Coupling, masks: Mapping[str, FloatArray]) -> Keep:
    """Mark the units that have a weight left in the masks of all kernels, (units,)."""
    keep = np.zeros(coupling.units + 1, bool)  # the last one is -1, no unit
    for key, mask in masks.items():
        standard = canonical(mask, coupling.layouts[key])
        outputs = standard.shape[-1]
        inputs = standard.shape[-2]
        has_output = standard.reshape(-1, outputs).any(axis=0)
        has_input = standard.reshape(-1, inputs, outputs).any(axis=(0, 2))
        keep[coupling.outputs[key][has_output]] = True
        keep[coupling.inputs[key][has_input]] = True
    return keep[:-1]


def load_masks(folder: Path) -> Masks:
    """Return the masks in a variant's folder, ``layer/kernel`` -> mask; none of a baseline."""
    if not (folder / MASKS).exists():
        return {}
    with np.load(folder / MASKS) as arrays:
        return {key: arrays[key].astype(np.float32) for key in arrays.files}
