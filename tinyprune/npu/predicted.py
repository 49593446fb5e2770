"""What Vela is expected to say of a ``.tflite``, before or beside what it says."""

from collections.abc import Mapping

from tinyprune.flatbuffer import Graph
from tinyprune.npu.cost_constants import has_constants
from tinyprune.npu.cost_model import predict
from tinyprune.npu.graph_shape import graph_shape, kernel_zeros
from tinyprune.resources import NpuTarget, Prediction
from tinyprune.sparsity.network_shape import NetworkShape


def of_graph(graph: Graph, target: NpuTarget) -> Prediction | None:
    """The prediction for a network in a file; None where the cost model has none (:func:`predicted`)."""
    return predicted(graph_shape(graph), kernel_zeros(graph), target) if has_constants(target) else None


def predicted(shape: NetworkShape, zeros: Mapping[str, float], target: NpuTarget) -> Prediction | None:
    """The prediction for a whole network.

    Args:
        shape: of the network.
        zeros: ``operator/kernel`` -> fraction of its weights that is zero, as of :class:`CostModel`.
        target: what for.

    None for a target without constants, and for an LSTM that runs several steps in one call.
    """
    unrolled = any(op.kind == "lstm" and op.area > 1 for op in shape.operators)
    return None if unrolled or not has_constants(target) else predict(shape, shape.whole, target, zeros=zeros)
