"""Files of one operator with a kernel that is drawn, from which Vela says what a layer costs."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyprune.array_types import Int8Array
from tinyprune.tflite.cells.network_writer import NetworkWriter, Numbers, empty_model
from tinyprune.tflite.flatbuffer import pack

_ACTIVATIONS = Numbers("int8", 0.05)
_WEIGHTS = Numbers("int8", 0.01)
_BIAS = Numbers("int32", 0.05 * 0.01)


@dataclass(frozen=True)
class DrawnOperator:
    """An operator whose kernel is drawn.

    Attributes:
        read, made: shapes of its input and output.
        strides: (rows, columns) of a convolution.
        is_same: whether a convolution pads.
    """

    read: tuple[int, ...]
    made: tuple[int, ...]
    strides: tuple[int, int] = (1, 1)
    is_same: bool = True


def file_of(kernel: Int8Array, drawn: DrawnOperator) -> bytes:
    """Return the file of a CONV_2D or FULLY_CONNECTED.

    ``kernel``: (rows, columns, inputs, outputs), or (inputs, outputs).
    """
    from ai_edge_litert import schema_py_generated as schema

    model = empty_model()
    graph = model.subgraphs[0]
    writer = NetworkWriter(model, "layer")
    read = writer.tensor("read", drawn.read, _ACTIVATIONS)
    made = writer.tensor("made", drawn.made, _ACTIVATIONS)
    outputs_first = np.ascontiguousarray(np.moveaxis(kernel, -1, 0))
    weights = writer.constant("weights", outputs_first, _WEIGHTS)
    bias = writer.constant("bias", np.zeros(kernel.shape[-1], np.int32), _BIAS)
    name = "CONV_2D" if kernel.ndim > 2 else "FULLY_CONNECTED"
    options = _convolution(schema, drawn) if kernel.ndim > 2 else _product(schema)
    tensors = [read.index, weights.index, bias.index]
    writer.operator(name, tensors, made.index, options, version=4)
    graph.inputs = np.array([read.index], np.int32)
    graph.outputs = np.array([made.index], np.int32)
    return pack(model)


def _product(schema: Any) -> Any:
    options = schema.FullyConnectedOptionsT()
    options.keepNumDims = True
    return options


def _convolution(schema: Any, drawn: DrawnOperator) -> Any:
    options = schema.Conv2DOptionsT()
    options.strideH, options.strideW = drawn.strides
    options.dilationHFactor = options.dilationWFactor = 1
    options.padding = schema.Padding.SAME if drawn.is_same else schema.Padding.VALID
    return options
