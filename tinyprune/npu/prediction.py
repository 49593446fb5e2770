"""Predictions of the cost model for a ``.tflite``, before or beside what Vela says of it."""

from collections.abc import Mapping

import numpy as np

from tinyprune.artifacts.quantity import PREDICTED
from tinyprune.artifacts.resources import NpuTarget, Prediction, ResourceReport
from tinyprune.npu.cost_constants import has_constants, known_targets
from tinyprune.npu.cost_model import predict
from tinyprune.npu.graph_shape import graph_shape, kernel_zeros
from tinyprune.npu.palettes import palette_bytes
from tinyprune.sparsity.network_shape import NetworkShape
from tinyprune.tflite.graph import Graph


def predict_graph(graph: Graph, target: NpuTarget) -> Prediction | None:
    """Return the prediction for a network in a file; None where :func:`predict_whole` has none."""
    if not has_constants(target):
        return None
    return predict_whole(graph_shape(graph), kernel_zeros(graph), target, palette_bytes(graph))


def predict_whole(
    shape: NetworkShape,
    zeros: Mapping[str, float],
    target: NpuTarget,
    few_values: Mapping[str, float] | None = None,
) -> Prediction | None:
    """Return the prediction for a network from which no unit is removed.

    Args:
        shape: of the network.
        zeros: ``operator/kernel`` -> fraction of its weights that is zero, as of
            :class:`tinyprune.npu.cost_model.CostModel`.
        target: what for.
        few_values: ``operator/kernel`` -> encoded bytes per weight, as of the same.

    Returns:
        None for a target without constants, and for a recurrent layer of several steps in one call.
    """
    is_unrolled = any(op.is_recurrent and op.area > 1 for op in shape.operators)
    if is_unrolled or not has_constants(target):
        return None
    return predict(shape, shape.whole, target, zeros=zeros, few_values=few_values)


def nearest_model(shape: NetworkShape, report: ResourceReport) -> NpuTarget:
    """Return the target whose cost model follows a network on the target that it was compiled for.

    That is the target itself. Where it has no constants (a configuration file of the user's own,
    another size), it is the one of the same family whose model comes nearest to what Vela says of
    this network, by the logarithms of flash, SRAM and cycles.
    """
    target = report.target
    if has_constants(target):
        return target

    def distance(other: NpuTarget) -> float:
        expected = predict(shape, shape.whole, other)
        pairs = []
        for quantity in PREDICTED:
            pairs.append((quantity.of_report(expected), quantity.of_report(report)))
        return float(np.abs(np.diff(np.log(np.maximum(pairs, 1.0)))).sum())

    family = [other for other in known_targets() if other.family == target.family]
    return min(family, key=distance)
