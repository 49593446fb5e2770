"""Masks that follow a schedule while the network trains."""

import keras

from tinyprune.artifacts import LayerPlan, PruningPlan
from tinyprune.compress.prepare import compressed_layers
from tinyprune.registry import SCHEDULES, STRUCTURES
from tinyprune.sparsity.masks import Floats, magnitude, masks
from tinyprune.sparsity.schedules import Schedule


class MaskUpdater:
    """Lets the masks of a prepared model follow a schedule while it trains.

    Attributes:
        plan: what is pruned.
        end_step: from this step on the masks stay as they are.
    """

    def __init__(self, prepared: keras.Model, plan: PruningPlan, steps: int) -> None:
        """Sparsity grows over the first half of ``steps`` and the network recovers in the second."""
        self.plan, self.end_step = plan, steps // 2
        self._variables = {item.key: _variables(prepared, item) for item in plan.layers}
        self._ids = {item.key: STRUCTURES[item.structure](item.shape) for item in plan.layers}
        frequency = max(1, self.end_step // 50)
        self._schedule: Schedule = SCHEDULES[plan.schedule](plan.sparsity, 0, max(1, self.end_step), frequency)

    def update(self, step: int) -> None:
        """Before optimizer step ``step`` (from 0): rank the groups and set the masks, if the schedule says so."""
        due, sparsity = self._schedule(step)
        if step > self.end_step or not (bool(due) or step == self.end_step):
            return
        importances = {key: magnitude(kernel.numpy(), self._ids[key]) for key, (kernel, _) in self._variables.items()}
        target = self.plan.sparsity if step == self.end_step else float(sparsity)
        for key, mask in masks(importances, self._ids, target, self.plan.scope).items():
            self._variables[key][1].assign(mask)

    def final(self, step: int) -> bool:
        """Whether the masks that act after ``step`` steps are the final ones."""
        return step > self.end_step


def _variables(prepared: keras.Model, item: LayerPlan) -> tuple[keras.Variable, keras.Variable]:
    layer = prepared.get_layer(item.layer)
    return layer.kernels()[item.kernel], layer.masks[item.kernel]


def read_masks(prepared: keras.Model) -> dict[str, Floats]:
    """``layer/kernel`` -> mask of a prepared model, each of its kernel's shape."""
    return {
        f"{layer.name}/{name}": mask.numpy()
        for layer in compressed_layers(prepared)
        for name, mask in layer.masks.items()
    }
