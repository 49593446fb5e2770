"""Gates without inputs: LSTM layers in which all input weights of a gate are zero.

The converter gives such a matrix a scale of about 4e-9. A bias is int32 in units of that times the
scale of the inputs, so it saturates, at 0.3 in TinyLSTM; of other operators the converter then
enlarges the scale, of an LSTM it does not.
Any scale is right for zeros: here it becomes that of the gate's recurrent matrix, and the bias is
    written anew.
"""

from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tinyprune.export.kernels import match
from tinyprune.tflite.flatbuffer import parse

_GATES, _INPUT, _RECURRENT, _BIAS = (
    4,
    1,
    5,
    12,
)  # gates i, f, g, o; where the operator has their matrices and biases
_PLAIN = 1 / 127  # scale of a gate that reads nothing at all


def with_biases(content: bytes, model: keras.Model) -> bytes:
    """A flatbuffer in which every gate has the bias that it has in the plain model that was converted."""
    lstms = [layer for layer in model.layers if isinstance(layer, keras.layers.LSTM)]
    if not any(True for layer in lstms for _ in _without_inputs(layer)):
        return content
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    graph = parse(Path(model.name), content)
    edited = schema.ModelT.InitFromPackedBuf(content)
    layers = {
        id(found.operator): found.layer for found in match(graph, model) if found.layer in lstms
    }
    for operator, own in zip(graph.operators, edited.subgraphs[0].operators, strict=False):
        if (layer := layers.get(id(operator))) is not None:
            for gate in _without_inputs(layer):
                _mend(edited, own, gate, np.split(layer.cell.bias.numpy(), _GATES)[gate])
    builder = flatbuffers.Builder(len(content))
    builder.Finish(edited.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _without_inputs(layer: keras.layers.LSTM) -> Iterator[int]:
    """The gates whose input weights are all zero."""
    if layer.use_bias:
        kernel = layer.cell.kernel.numpy().reshape(-1, _GATES, layer.units)
        yield from (gate for gate in range(_GATES) if not kernel[:, gate].any())


def _mend(model: Any, operator: Any, gate: int, bias: "np.ndarray[Any, Any]") -> None:
    """Give a gate a matrix with a usable scale and a bias (units,) in units of it, both tensors of its own."""
    tensors = model.subgraphs[0].tensors
    inputs, recurrent = (
        tensors[operator.inputs[place]].quantization.scale[0] for place in (0, _RECURRENT + gate)
    )
    scale = recurrent if recurrent > _PLAIN * 1e-3 else _PLAIN
    unit = float(inputs) * float(scale)
    limits = np.iinfo(np.int32)
    whole = np.clip(np.round(bias.astype(np.float64) / unit), limits.min, limits.max).astype("<i4")
    _replace(model, operator, _INPUT + gate, scale)
    _replace(model, operator, _BIAS + gate, unit, whole.tobytes())


def _replace(
    model: Any, operator: Any, place: int, scale: float, data: bytes | None = None
) -> None:
    """Put a tensor of its own where an operator may have one that it shares with another gate."""
    tensors = model.subgraphs[0].tensors
    tensor = copy(tensors[operator.inputs[place]])
    tensor.quantization = copy(tensor.quantization)
    tensor.quantization.scale = np.array([scale], np.float32)
    if data is not None:
        buffer = copy(model.buffers[tensor.buffer])
        buffer.data = np.frombuffer(data, np.uint8)
        tensor.buffer = len(model.buffers)
        model.buffers.append(buffer)
    operator.inputs = np.array(operator.inputs)
    operator.inputs[place] = len(tensors)
    tensors.append(tensor)
