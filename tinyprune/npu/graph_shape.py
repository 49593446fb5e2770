"""The shape of the network in a ``.tflite`` for the cost model, and the zeros of its weights."""

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from tinyprune.npu.layers import kernel
from tinyprune.sparsity.network_shape import Channels, NetworkShape, OperatorShape, TensorShape
from tinyprune.tflite.graph import Graph, Operator, Tensor
from tinyprune.tflite.operators import KernelInputs, OperatorType, operator_type

_BYTES = {"int8": 1, "uint8": 1, "bool": 1, "int16": 2, "int32": 4, "float32": 4}
_MOST_BYTES = 8
_NO_SETS = np.zeros(0)
_HAVE_WINDOWS = ("conv", "depthwise", "transposed")


def graph_shape(graph: Graph) -> NetworkShape:
    """Return the shape of a network in a file; it has no sets, so ``kept`` of it is empty.

    An operator is named after its output. The tensors of an operator of kind "other" count, its
    work does not.
    """
    return _Shape(graph).shape()


def kernel_zeros(graph: Graph) -> Mapping[str, float]:
    """Return ``operator/kernel`` -> the fraction of its weights that is zero.

    An LSTM has ``operator/recurrent_kernel`` too.
    """
    fractions = {}
    for operator in graph.operators:
        for weights in operator_type(operator.name).kernels:
            zeros, size = _zeros_and_size(operator, weights)
            if size:
                name = f"{operator.outputs[0].name}/{weights.name}"
                fractions[name] = zeros / size
    return fractions


def _zeros_and_size(operator: Operator, weights: KernelInputs) -> tuple[int, int]:
    """Return the zeros and the number of the weights of a kernel that are constant."""
    zeros = 0
    size = 0
    for number in weights.inputs:
        tensor = operator.constant(number)
        if tensor is not None:
            counted = kernel(tensor)
            zeros += counted.zeros
            size += counted.size
    return zeros, size


class _Shape:
    """Gives tensors numbers while it goes through the operators."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._numbers: dict[Tensor, int] = {}
        self._tensors: list[TensorShape] = []
        self._made = set(graph.inputs)
        for operator in graph.operators:
            self._made.update(operator.outputs)

    def shape(self) -> NetworkShape:
        inputs = list(map(self._number, self._graph.inputs))
        operators = []
        for operator in self._graph.operators:
            shape = self._operator(operator)
            if shape is not None:
                operators.append(shape)
        outputs = list(map(self._number, self._graph.outputs))
        return NetworkShape(
            tuple(self._tensors),
            tuple(operators),
            (),
            inputs=tuple(dict.fromkeys(inputs)),
            outputs=tuple(dict.fromkeys(outputs)),
        )

    def _number(self, tensor: Tensor) -> int:
        """Return the number of the memory that a tensor is in; what nobody makes is a state."""
        if tensor not in self._numbers:
            shape = TensorShape(
                name=tensor.name,
                positions=_positions(tensor),
                channels=_channels(tensor),
                bytes_per_element=_BYTES.get(tensor.dtype, _MOST_BYTES),
                is_state=tensor not in self._made,
            )
            self._numbers[tensor] = len(self._tensors)
            self._tensors.append(shape)
        return self._numbers[tensor]

    def _operator(self, operator: Operator) -> OperatorShape | None:
        """Return nothing for what stays where it is, or makes nothing of what is computed."""
        computed = [tensor for tensor in operator.given_inputs if not tensor.is_constant]
        inputs = tuple(map(self._number, computed))
        if not inputs or not operator.outputs:
            return None
        if operator_type(operator.name).is_view:
            self._numbers[operator.outputs[0]] = inputs[0]
            return None
        outputs = tuple(map(self._number, operator.outputs))
        return operator_shape(operator, inputs, outputs)


def operator_shape(
    operator: Operator, inputs: tuple[int, ...], outputs: tuple[int, ...]
) -> OperatorShape:
    """Return one operator of a ``.tflite``, all its channels fixed.

    ``inputs`` and ``outputs`` are numbers of tensors.
    """
    if operator_type(operator.name).kind == "matmul":
        return _product(operator, inputs, outputs)
    return _of_one_map(operator, inputs, outputs)


def _of_one_map(
    operator: Operator, inputs: tuple[int, ...], outputs: tuple[int, ...]
) -> OperatorShape:
    """Return an operator on the feature map that is its data input."""
    known = operator_type(operator.name)
    output = operator.outputs[0]
    data = operator.inputs[known.data_input]
    if data is None:
        data = output
    channels_in = _channels(data)
    positions_in = _positions(data)
    weights = operator.inputs[known.kernels[0].inputs[0]] if known.kernels else None
    if known.kind == "dense" and weights is not None:  # flattens what it reads
        features = weights.shape[-1]
        channels_in = Channels(features, _NO_SETS)
        positions_in = (1, prod(data.shape) // features)
    kernel_size, stride = _window(operator, known, weights, positions_in)
    return OperatorShape(
        name=output.name,
        kind=known.kind,
        inputs=inputs,
        outputs=outputs,
        channels_in=channels_in,
        channels_out=_channels(output),
        positions_in=positions_in,
        positions=(1, 1) if known.is_global_pool else _positions(output),
        kernel=kernel_size,
        stride=stride,
    )


def _product(
    operator: Operator, inputs: tuple[int, ...], outputs: tuple[int, ...]
) -> OperatorShape:
    """Return a product of two feature maps (..., heads, positions, channels).

    One with a constant is of kind "other".
    """
    if operator.constants:
        return replace(_of_one_map(operator, inputs, outputs), kind="other")
    output = operator.outputs[0]
    heads = prod(output.shape[:-2])
    positions, made = output.shape[-2:]
    read = prod(operator.given_inputs[0].shape) // (heads * positions)
    return OperatorShape(
        name=output.name,
        kind="matmul",
        inputs=inputs,
        outputs=outputs,
        channels_in=Channels(heads * read, _NO_SETS),
        channels_out=Channels(heads * made, _NO_SETS),
        positions_in=(1, positions),
        positions=(1, positions),
        head_channels=(read, made),
    )


def _window(
    operator: Operator, known: OperatorType, weights: Tensor | None, positions_in: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return kernel and stride, (rows, columns) each."""
    if known.is_global_pool:
        return positions_in, (1, 1)
    options = operator.options
    stride = (_step(options, "strideH"), _step(options, "strideW"))
    if known.kind == "pool":
        rows = int(options["filterHeight"])
        columns = int(options["filterWidth"])
        return (rows, columns), stride
    if known.kind not in _HAVE_WINDOWS or weights is None:
        return (1, 1), stride
    row_axis, column_axis, *_ = known.kernels[0].axes
    return (weights.shape[row_axis], weights.shape[column_axis]), stride


def _step(options: Mapping[str, Any], name: str) -> int:
    """Return a stride; 1 for an operator that has none."""
    return int(options.get(name) or 1)


def _channels(tensor: Tensor) -> Channels:
    return Channels(tensor.shape[-1] if tensor.shape else 1, _NO_SETS)


def _positions(tensor: Tensor) -> tuple[int, int]:
    """Return (rows, columns), batches laid below each other."""
    if len(tensor.shape) < 2:
        return 1, 1
    return prod(tensor.shape[:-2]), tensor.shape[-2]
