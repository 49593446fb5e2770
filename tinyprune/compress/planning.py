"""The plan of a pruning: which kernels, in which groups, how sparse, and what is left alone and why."""

import keras

from tinyprune.artifacts import LayerPlan, PruningPlan
from tinyprune.compress.prepare import COMPRESSED, compressible, kernels
from tinyprune.errors import UsageError
from tinyprune.registry import SCHEDULES, STRUCTURES


def plan(model: keras.Model, structure: str, sparsity: float, scope: str, schedule: str) -> PruningPlan:
    """The plan of one pruning: every kernel of every layer that can be compressed, and why the others are skipped.

    Raises UsageError for unknown names, or if there is nothing to prune.
    """
    groups, skipped, layers = STRUCTURES[structure], {}, []
    SCHEDULES.check(schedule)
    for layer in compressible(model):
        if type(layer) not in COMPRESSED:
            skipped[layer.name] = f"{type(layer).__name__} layers are left as they are"
            continue
        for name, kernel in kernels(layer).items():
            count = int(groups(tuple(kernel.shape)).max()) + 1
            layers.append(LayerPlan(layer.name, name, tuple(kernel.shape), structure, "magnitude", count, sparsity))
    if not layers:
        raise UsageError(f"model '{model.name}' has no layer to prune: expected Dense or LSTM layers")
    return PruningPlan(tuple(layers), skipped, scope, schedule, sparsity)
