"""The int8 kernels of operators, in the axis order (spatial..., inputs, outputs)."""

import numpy as np

from tinyprune.array_types import BoolArray, Int8Array
from tinyprune.tflite.graph import UINT8_ZERO, Operator, Tensor
from tinyprune.tflite.operators import KernelInputs, operator_type

#: The integer that the converter gives a bias which is too large for the scale of its weights: it
#: makes that scale larger instead.
LARGEST_BIAS = 2**30


def int8_kernels(operator: Operator) -> dict[str, Int8Array]:
    """Return name -> kernel of an operator; empty where one of its kernels is not constant int8.

    uint8 with zero point 128 is int8 too, as recurrent cells have it.

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
        if tensor is None:
            return None
        values = _as_int8(tensor)
        if values is None:
            return None
        if values.ndim != len(kernel.axes):
            return None
        matrices.append(values.transpose(kernel.axes))
    return np.concatenate(matrices, axis=-1)


def _as_int8(tensor: Tensor) -> Int8Array | None:
    if tensor.dtype == "int8":
        return tensor.values
    is_shifted = tensor.dtype == "uint8" and bool(np.all(tensor.zero_point == UINT8_ZERO))
    if not is_shifted:
        return None
    return (tensor.values.astype(np.int16) - UINT8_ZERO).astype(np.int8)


def follows_bias(operator: Operator, outputs: int) -> BoolArray:
    """Mark the outputs whose scale was made larger than that of their weights, for their bias.

    ``outputs``: number of outputs of the operator's kernels; of an LSTM, whose gates have biases of
    their own, none is marked.
    """
    numbers = operator_type(operator.name).bias_inputs
    bias = operator.constant(numbers[0]) if len(numbers) == 1 else None
    if bias is None or bias.values.size != outputs:
        return np.zeros(outputs, bool)
    return np.abs(bias.values.astype(np.int64)) >= LARGEST_BIAS - 1
