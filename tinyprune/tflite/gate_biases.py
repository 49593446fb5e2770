"""New biases for gates of an LSTM in a flatbuffer whose input weights are all zero.

The converter gives such a matrix a scale of about 4e-9. A bias is int32 in units of that times the
scale of the inputs, so it saturates, at 0.3 in TinyLSTM; of other operators the converter then
enlarges the scale, of an LSTM it does not. Any scale is right for zeros: here it becomes that of
the gate's recurrent matrix, and the bias is written anew.
"""

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.tflite.flatbuffer import pack
from tinyprune.tflite.operators import OPERATORS

_LSTM = OPERATORS["UNIDIRECTIONAL_SEQUENCE_LSTM"]
_INPUT_KERNEL, _RECURRENT_KERNEL = _LSTM.kernels
_DEFAULT_SCALE = 1 / 127  # of a gate that reads nothing at all
_LEAST_SCALE = _DEFAULT_SCALE * 1e-3  # of a recurrent matrix that is not all zero


@dataclass(frozen=True, eq=False)
class GateBias:
    """The bias of one gate.

    Attributes:
        operator: number of the LSTM among the operators of the network.
        gate: number of the gate, in the order i, f, g, o.
        bias: (units,), as the float network has it.
    """

    operator: int
    gate: int
    bias: Float32Array


def with_gate_biases(content: bytes, biases: Iterable[GateBias]) -> bytes:
    """Return a flatbuffer in which gates without inputs have these biases."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content)
    for item in biases:
        operator = model.subgraphs[0].operators[item.operator]
        _write(model, operator, item.gate, item.bias)
    return pack(model)


def _write(model: Any, operator: Any, gate: int, bias: Float32Array) -> None:
    """Give a gate an input matrix of a usable scale, and a bias in units of it."""
    tensors = model.subgraphs[0].tensors
    inputs = tensors[operator.inputs[_LSTM.data_input]].quantization.scale[0]
    recurrent = tensors[operator.inputs[_RECURRENT_KERNEL.inputs[gate]]].quantization.scale[0]
    scale = recurrent if recurrent > _LEAST_SCALE else _DEFAULT_SCALE
    bias_scale = float(inputs) * float(scale)

    limits = np.iinfo(np.int32)
    rounded = np.round(bias.astype(np.float64) / bias_scale)
    integers = np.clip(rounded, limits.min, limits.max).astype("<i4")
    _replace(model, operator, _INPUT_KERNEL.inputs[gate], scale)
    _replace(model, operator, _LSTM.bias_inputs[gate], bias_scale, integers.tobytes())


def _replace(
    model: Any, operator: Any, number: int, scale: float, data: bytes | None = None
) -> None:
    """Put a tensor of its own where an operator may have one that it shares with another gate."""
    tensors = model.subgraphs[0].tensors
    tensor = copy(tensors[operator.inputs[number]])
    tensor.quantization = copy(tensor.quantization)
    tensor.quantization.scale = np.array([scale], np.float32)
    if data is not None:
        buffer = copy(model.buffers[tensor.buffer])
        buffer.data = np.frombuffer(data, np.uint8)
        tensor.buffer = len(model.buffers)
        model.buffers.append(buffer)
    operator.inputs = np.array(operator.inputs)
    operator.inputs[number] = len(tensors)
    tensors.append(tensor)
