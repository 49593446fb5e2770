"""The int8 kernels of operators, in the axis order (spatial..., inputs, outputs)."""

import numpy as np

from tinyprune.array_types import Int8Array
from tinyprune.tflite.graph import Operator
from tinyprune.tflite.operators import KernelInputs, operator_type


def int8_kernels(operator: Operator) -> dict[str, Int8Array]:
    """Return name -> kernel of an operator; empty where one of its kernels is not constant int8.

    A depthwise kernel has one input. The gates of an LSTM lie side by side: (inputs, 4 * units).
    """
    kernels: dict[str, Int8Array] = {}
    for kernel in operator_type(operator.name).kernels:
        weights = _int8_kernel(operator, kernel)
        if weights is None:
            return {}
        kernels[kernel.name] = weights
    return kernels


def _int8_kernel(operator: Operator, kernel: KernelInputs) -> Int8Array | None:
    matrices = []
    for number in kernel.inputs:
        tensor = operator.constant(number)
        if tensor is None or tensor.dtype != "int8":
            return None
        values = tensor.values
        if values.ndim != len(kernel.axes):
            return None
        matrices.append(values.transpose(kernel.axes))
    return np.concatenate(matrices, axis=-1)
