"""Tensors that are 0 in every calibration input, such as the outputs of ReLUs that all are dead.

The converter takes their range for 1e-6 on either side. What multiplies integers on their way into
such a tensor is then above 256, which the kernels of LiteRT refuse, so that the file could not be
run. Any range is right for zeros: here it becomes the widest of the network.
"""

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert import mlir_quantize

from tinyprune.tflite.flatbuffer import pack
from tinyprune.tflite.graph import Graph, Operator, Tensor

_LEAST_RANGE = 2e-6
_LEAST_SCALE = _LEAST_RANGE / 255


def always_zero(graph: Graph) -> list[Operator]:
    """Return the operators that made nothing but 0 of the calibration inputs."""
    return [op for op in graph.operators if any(map(_is_empty, op.outputs))]


def _is_empty(tensor: Tensor) -> bool:
    is_int8 = tensor.dtype == "int8" and len(tensor.scale) == 1
    return is_int8 and bool(np.isclose(tensor.scale[0], _LEAST_SCALE, rtol=1e-3, atol=0))


def quantized_with_ranges(converter: Any) -> bytes:
    """Return the int8 flatbuffer of a network whose empty ranges are widened.

    Args:
        converter: a ``tf.lite.TFLiteConverter`` with calibration inputs; it only calibrates from
            now on.
    """
    from ai_edge_litert import schema_py_generated as schema

    converter._experimental_calibrate_only = True
    model = schema.ModelT.InitFromPackedBuf(converter.convert())
    calibrated = []
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            found = tensor.quantization
            if found is not None and found.min is not None and len(found.min):
                calibrated.append(found)
    widest = max(_width(found) for found in calibrated)
    for found in calibrated:
        if _width(found) < _LEAST_RANGE / 2:
            found.min = [-widest]
            found.max = [widest]
    return bytes(mlir_quantize(pack(model), input_data_type=tf.int8, output_data_type=tf.int8))


def _width(calibrated: Any) -> float:
    """The largest distance from 0 in a range."""
    return max(abs(float(calibrated.min[0])), abs(float(calibrated.max[0])))
