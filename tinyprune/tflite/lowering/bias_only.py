"""The outputs of an operator that have no weights: their bias, on the grid of the output."""

import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyprune.tflite.cells.network_writer import NetworkWriter, empty_model
from tinyprune.tflite.engines import LiteRt
from tinyprune.tflite.flatbuffer import pack


def bias_only(model: Any, operator: Any) -> npt.NDArray[Any]:
    """Return the integers that an operator makes of inputs of zero.

    LiteRT runs it, so they are rounded as those of the whole operator are.

    Args:
        model: a ``ModelT`` of the schema with one graph.
        operator: of it; it reads one tensor that is no constant, the first.

    Returns:
        of the shape and type of the operator's output.
    """
    network = empty_model()
    graph = network.subgraphs[0]
    own = copy.deepcopy(operator)
    code = copy.deepcopy(model.operatorCodes[operator.opcodeIndex])
    network.operatorCodes.append(code)
    own.opcodeIndex = 0
    own.inputs = np.array([_copied(model, network, index) for index in operator.inputs], np.int32)
    own.outputs = np.array([_copied(model, network, index) for index in operator.outputs], np.int32)
    graph.operators.append(own)
    graph.inputs = own.inputs[:1]
    graph.outputs = own.outputs
    read = NetworkWriter(network, "").value(int(own.inputs[0]))
    zeros = np.full(read.shape, read.zero_point, read.dtype)
    return LiteRt(pack(network)).invoke([zeros])[0]


def _copied(model: Any, network: Any, index: int) -> int:
    """Copy a tensor with its constant into another network; return its index there."""
    if index < 0:
        return index
    graph = network.subgraphs[0]
    tensor = copy.deepcopy(model.subgraphs[0].tensors[index])
    buffer = model.buffers[tensor.buffer]
    tensor.buffer = 0
    if buffer.data is not None and len(buffer.data):
        tensor.buffer = len(network.buffers)
        network.buffers.append(copy.deepcopy(buffer))
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1
