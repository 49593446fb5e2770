"""Masks that follow a schedule while the network trains."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tinyprune.array_types import FloatArray, IntArray
from tinyprune.artifacts.plan import LayerPlan, PruningPlan
from tinyprune.compress.layer_kinds import kernels
from tinyprune.compress.prepare import compressed_layers
from tinyprune.registry import IMPORTANCES, SCHEDULES
from tinyprune.sparsity.importance import FROM_GRADIENTS
from tinyprune.sparsity.layout import Layout, canonical, canonical_shape, restored
from tinyprune.sparsity.masks import masks
from tinyprune.sparsity.schedules import Schedule
from tinyprune.sparsity.structure import Structure, parse
from tinyprune.sparsity.unit_sets import Coupling, Keep, clamped, keep_units

log = logging.getLogger(__name__)
MASKS = "masks.npz"
SEEN_STEPS = 100  # of gradients, before they rank anything: as many as their moving average is long


class MaskUpdater:
    """Lets the masks of a prepared model follow a schedule while it trains.

    Kernels of one structure and final sparsity are a pool: they share a schedule and, under a
        global scope, a ranking.
    Weights that are masked from the start (a variant of a variant) stay masked. An importance that
    follows gradients
    ranks nothing before it has seen some: its schedule does not begin before a tenth of the steps,
        100 at most.

    Attributes:
        plan: what is pruned.
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
        """For a training of ``steps`` optimizer steps.

        Args:
            prepared: the model, with masks. plan: of it.
            coupling: of its units, if any are removed.
            inherited: kernel -> mask that it has from its base.
        """
        self.plan = plan
        self.begin_step, self.end_step, frequency = plan.steps(steps)
        if plan.importance in FROM_GRADIENTS:
            self.begin_step = max(self.begin_step, min(SEEN_STEPS, max(1, steps // 10), steps - 1))
            self.end_step = max(self.begin_step, self.end_step)
        if plan.schedule == "one-shot":
            self.end_step = self.begin_step
        self._layers = {layer.name: layer for layer in compressed_layers(prepared)}
        self._inherited = dict(inherited or {})
        self._assign(self._inherited)
        values = {key: kernel.numpy() for key, kernel in self._kernels().items()}
        self._pools = [
            pool
            for items in _alike(plan.layers)
            for pool in _pools(
                items, plan, values, coupling, (self.begin_step, self.end_step, frequency)
            )
        ]

    def update(self, step: int) -> None:
        """Before optimizer step ``step`` (from 0): rank the groups and set the masks, if the schedule says so."""
        if not self.begin_step <= step <= self.end_step or not any(
            pool.due(step) for pool in self._pools
        ):
            return
        final, values = step == self.end_step, self._values()
        found = dict(self._inherited)
        for pool in self._pools:
            for key, mask in pool.masks(values, step, final).items():
                found[key] = found[key] * mask if key in found else mask
        self._assign(found)
        if final and (empty := [key for key, mask in found.items() if not mask.any()]):
            advice = "; try --scope layer, or --exclude it" if self.plan.scope == "global" else ""
            log.warning(
                "nothing is left of %s at sparsity %g%s",
                ", ".join(empty),
                self.plan.sparsity,
                advice,
            )

    def observe(self, variables: Sequence[keras.Variable], gradients: Sequence[tf.Tensor]) -> None:
        """In the compiled step: let importances that follow gradients see them; see :meth:`Compressed.observe`."""
        by_variable = {
            id(variable): gradient for variable, gradient in zip(variables, gradients, strict=True)
        }
        for layer in self._layers.values():
            layer.observe(
                {name: by_variable[id(kernel)] for name, kernel in kernels(layer).items()}
            )

    def final(self, step: int) -> bool:
        """Whether the masks that act after ``step`` steps are the final ones."""
        return step > self.end_step

    def _assign(self, masks: Mapping[str, FloatArray]) -> None:
        for key, mask in masks.items():
            layer, _, name = key.rpartition("/")
            self._layers[layer].masks[name].assign(mask)

    def _kernels(self) -> dict[str, keras.Variable]:
        return {
            f"{layer.name}/{name}": kernel
            for layer in self._layers.values()
            for name, kernel in kernels(layer).items()
        }

    def _values(self) -> dict[str, FloatArray]:
        """What importances are made of: kernels as they are deployed, or what was accumulated from their gradients."""
        if self.plan.importance not in FROM_GRADIENTS:
            return {
                f"{layer.name}/{name}": kernel.numpy() * np.asarray(layer.factor(), np.float32)
                for layer in self._layers.values()
                for name, kernel in kernels(layer).items()
            }
        return {
            f"{layer.name}/{name}": saliency.numpy()
            for layer in self._layers.values()
            for name, saliency in layer.saliency.items()
        }


def _alike(layers: Sequence[LayerPlan]) -> list[list[LayerPlan]]:
    """Plans of the same structure and sparsity."""
    found: dict[tuple[str, float], list[LayerPlan]] = {}
    for item in layers:
        found.setdefault((item.structure, item.final_sparsity), []).append(item)
    return list(found.values())


def _pools(
    items: list[LayerPlan],
    plan: PruningPlan,
    kernels: Mapping[str, FloatArray],
    coupling: Coupling | None,
    steps: tuple[int, int, int],
) -> "list[_Units] | list[_Groups]":
    if items[0].structure == "unit":
        assert coupling is not None, "units have a coupling"
        return [_Units(items, plan, coupling, steps)]
    return [_Groups(items, plan, kernels, steps)]


class _Pool:
    """What the two kinds of pools share: a schedule and a measure."""

    def __init__(
        self, items: list[LayerPlan], plan: PruningPlan, initial: float, steps: tuple[int, int, int]
    ) -> None:
        self.items, self.plan, self.sparsity = items, plan, items[0].final_sparsity
        self.measure = IMPORTANCES[plan.importance]
        self._schedule: Schedule = SCHEDULES[plan.schedule](
            min(initial, self.sparsity), self.sparsity, *steps
        )
        self._end = steps[1]

    def due(self, step: int) -> bool:
        """Whether masks change before a step."""
        return (
            bool(self._schedule(step)[0]) or step == self._end
        )  # TFMOT may not touch the last step

    def target(self, step: int) -> float:
        """The sparsity at a step."""
        return (
            self.sparsity if step == self._end else round(float(self._schedule(step)[1]), 6)
        )  # TFMOT has float32


class _Groups(_Pool):
    """Kernels whose groups are ranked together: weights, blocks, runs."""

    def __init__(
        self,
        items: list[LayerPlan],
        plan: PruningPlan,
        kernels: Mapping[str, FloatArray],
        steps: tuple[int, int, int],
    ) -> None:
        self._structure = _structure(items[0].structure)
        self._shapes = {
            item.key: canonical_shape(item.shape, Layout(item.layout)) for item in items
        }
        self._ids = {item.key: self._group_ids(item) for item in items}
        zero = sum(
            int((IMPORTANCES["l1"](kernels[key], ids) == 0).sum()) for key, ids in self._ids.items()
        )
        super().__init__(items, plan, zero / sum(item.groups for item in items), steps)

    def _group_ids(self, item: LayerPlan) -> IntArray:
        """Group ids in the kernel's own shape."""
        return restored(
            self._structure.groups(self._shapes[item.key]), Layout(item.layout), item.shape
        )

    def masks(
        self, values: Mapping[str, FloatArray], step: int, final: bool
    ) -> dict[str, FloatArray]:
        """Masks of the kernels at a step."""
        del final
        importances = {
            key: self._structure.ranked(self.measure(values[key], ids), self._shapes[key])
            for key, ids in self._ids.items()
        }
        return dict(masks(importances, self._ids, self.target(step), self.plan.scope))


class _Units(_Pool):
    """Coupled units."""

    def __init__(
        self,
        items: list[LayerPlan],
        plan: PruningPlan,
        coupling: Coupling,
        steps: tuple[int, int, int],
    ) -> None:
        super().__init__(items, plan, 0.0, steps)
        self._coupling = coupling
        planned = {item.key for item in items}
        others = [ids for key, ids in coupling.outputs.items() if key not in planned]
        self._stay = np.unique(np.concatenate([np.empty(0, np.int64), *others]))
        self._stay = self._stay[self._stay >= 0]

    def masks(
        self, values: Mapping[str, FloatArray], step: int, final: bool
    ) -> dict[str, FloatArray]:
        """Masks of all kernels that make or read units; at the end, counts are multiples of ``round_to``."""
        importance = self._coupling.importance(values, self.measure)
        importance[self._stay] = (
            np.inf
        )  # made by a kernel that is excluded or has another structure
        asked = (
            importance,
            self._coupling,
            self.target(step),
            self.plan.scope,
            self.plan.round_to if final else None,
        )
        if final and (names := clamped(*asked)):
            log.warning(
                "%s would have no unit left at sparsity %g: kept %d",
                ", ".join(names),
                self.sparsity,
                self.plan.round_to,
            )
        return {
            key: mask.astype(np.float32)
            for key, mask in self._coupling.masks(keep_units(*asked)).items()
        }


def _structure(label: str) -> Structure:
    """The structure of a plan's label, e.g. "block 16x16"."""
    name, _, size = label.partition(" ")
    return parse(name, size) if size else parse(name)


def read_masks(prepared: keras.Model) -> dict[str, FloatArray]:
    """``layer/kernel`` -> mask of a prepared model, each of its kernel's shape."""
    return {
        f"{layer.name}/{name}": mask.numpy()
        for layer in compressed_layers(prepared)
        for name, mask in layer.masks.items()
    }


def kept_units(coupling: Coupling, masks: Mapping[str, FloatArray]) -> Keep:
    """Which units have a weight left, made or read, in the masks of all kernels, (units,)."""
    keep = np.zeros(coupling.units + 1, bool)  # the last one is -1, no unit
    for key, mask in masks.items():
        standard = canonical(mask, coupling.layouts[key])
        rows = standard.any(
            axis=tuple(axis for axis in range(standard.ndim) if axis != standard.ndim - 2)
        )
        keep[coupling.outputs[key][standard.reshape(-1, standard.shape[-1]).any(axis=0)]] = True
        keep[coupling.inputs[key][rows]] = True
    return keep[:-1]


def load_masks(folder: Path) -> dict[str, FloatArray]:
    """The masks that a variant's folder holds, ``layer/kernel`` -> mask; none of a baseline."""
    if not (folder / MASKS).exists():
        return {}
    with np.load(folder / MASKS) as arrays:
        return {key: arrays[key].astype(np.float32) for key in arrays.files}
