"""What Vela is expected to say of a ``.tflite``, before or beside what it says."""

from collections.abc import Mapping

import numpy as np

from tinyprune.artifacts.quantity import PREDICTED
from tinyprune.artifacts.resources import NpuTarget, Prediction, ResourceReport
from tinyprune.npu.cost_constants import has_constants, targets
from tinyprune.npu.cost_model import predict
from tinyprune.npu.graph_shape import graph_shape, kernel_zeros
from tinyprune.sparsity.network_shape import NetworkShape
from tinyprune.tflite.graph import Graph


def of_graph(graph: Graph, target: NpuTarget) -> Prediction | None:
    """The prediction for a network in a file; None where the cost model has none (:func:`predicted`)."""
    return (
        predicted(graph_shape(graph), kernel_zeros(graph), target)
        if has_constants(target)
        else None
    )


def predicted(
    shape: NetworkShape, zeros: Mapping[str, float], target: NpuTarget
) -> Prediction | None:
    """The prediction for a whole network.

    Args:
        shape: of the network.
        zeros: ``operator/kernel`` -> fraction of its weights that is zero, as of
            :class:`CostModel`.
        target: what for.

    None for a target without constants, and for an LSTM that runs several steps in one call.
    """
    unrolled = any(op.kind == "lstm" and op.area > 1 for op in shape.operators)
    return (
        None
        if unrolled or not has_constants(target)
        else predict(shape, shape.whole, target, zeros=zeros)
    )


def nearest_model(shape: NetworkShape, report: ResourceReport) -> NpuTarget:
    """The target whose cost model follows a network on the target that it was compiled for.

    That target itself; where it has no constants (a configuration file of the user's own, another
    size), one of the
    same family: whose model comes nearest to what Vela says of this network, by the logarithms of
        flash, SRAM, cycles.
    """
    target = report.target
    if has_constants(target):
        return target

    def distance(other: NpuTarget) -> float:
        expected = predict(shape, shape.whole, other)
        pairs = [
            (quantity.of_report(expected), quantity.of_report(report)) for quantity in PREDICTED
        ]
        return float(np.abs(np.diff(np.log(np.maximum(pairs, 1.0)))).sum())

    family = [other for other in targets() if other.family == target.family]
    return min(family, key=distance)
