"""The shape of the network in a ``.tflite``, as the cost model takes it, and how many of its weights are zero."""

from collections.abc import Iterator, Mapping
from math import prod

import numpy as np

from tinyprune.npu.layers import kernel
from tinyprune.sparsity.network_shape import Channels, NetworkShape, OperatorShape, TensorShape
from tinyprune.tflite.flatbuffer import Graph, Operator, Tensor

_KINDS = {
    "CONV_2D": "conv",
    "DEPTHWISE_CONV_2D": "depthwise",
    "TRANSPOSE_CONV": "transposed",
    "FULLY_CONNECTED": "dense",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "lstm",
    "SOFTMAX": "softmax",
    "CONCATENATION": "concat",
    "PAD": "pad",
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN"), "pool"),
    **dict.fromkeys(("STRIDED_SLICE", "SLICE"), "slice"),
    **dict.fromkeys(("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"), "add"),
    **dict.fromkeys(("LOGISTIC", "TANH", "LEAKY_RELU", "PRELU", "ELU", "HARD_SWISH"), "activation"),
}
# The same bytes under another shape, and what Vela makes part of the operator before.
_VIEWS = ("RESHAPE", "EXPAND_DIMS", "SQUEEZE", "RELU", "RELU6")
_DATA_INPUT = {"TRANSPOSE_CONV": 2}  # of other operators the first
_WEIGHTS, _INPUT_GATES, _STATE_GATES = 1, slice(1, 5), slice(5, 9)
_BYTES = {"int8": 1, "uint8": 1, "bool": 1, "int16": 2, "int32": 4, "float32": 4}
_MOST_BYTES = 8
_NO_SETS = np.zeros(0)


def graph_shape(graph: Graph) -> NetworkShape:
    """The shape of a network in a file; it has no sets, so ``kept`` of it is empty.

    An operator is named after its output. What has no kind of its own is "other": its tensors
    count, its work does not.
    """
    return _Shape(graph).shape()


def kernel_zeros(graph: Graph) -> Mapping[str, float]:
    """``operator/kernel`` -> the fraction of its weights that is zero; of an LSTM ``operator/recurrent_kernel`` too."""
    found = {}
    for op in graph.operators:
        for name, tensors in _kernels(op):
            counts = [
                kernel(tensor)
                for tensor in tensors
                if tensor is not None and tensor.data is not None
            ]
            if size := sum(count.size for count in counts):
                found[f"{op.outputs[0].name}/{name}"] = sum(count.zeros for count in counts) / size
    return found


def _kernels(op: Operator) -> Iterator[tuple[str, tuple[Tensor | None, ...]]]:
    kind = _KINDS.get(op.name)
    if kind == "lstm":
        yield "kernel", op.inputs[_INPUT_GATES]
        yield "recurrent_kernel", op.inputs[_STATE_GATES]
    elif kind in ("conv", "depthwise", "transposed", "dense"):
        yield "kernel", op.inputs[_WEIGHTS : _WEIGHTS + 1]


class _Shape:
    """Gives tensors numbers while it goes through the operators."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._numbers: dict[Tensor, int] = {}
        self._tensors: list[TensorShape] = []
        self._made = {*graph.inputs, *(tensor for op in graph.operators for tensor in op.outputs)}

    def shape(self) -> NetworkShape:
        inputs = [self._number(tensor) for tensor in self._graph.inputs]
        operators = [
            found for op in self._graph.operators if (found := self._operator(op)) is not None
        ]
        outputs = [self._number(tensor) for tensor in self._graph.outputs]
        return NetworkShape(
            tuple(self._tensors), tuple(operators), (), _once(inputs), _once(outputs)
        )

    def _number(self, tensor: Tensor) -> int:
        """Of the memory that a tensor is in; what nobody makes is a state."""
        if tensor not in self._numbers:
            size, state = _BYTES.get(tensor.dtype, _MOST_BYTES), tensor not in self._made
            self._tensors.append(
                TensorShape(tensor.name, _positions(tensor), _channels(tensor), size, state)
            )
            self._numbers[tensor] = len(self._tensors) - 1
        return self._numbers[tensor]

    def _operator(self, op: Operator) -> OperatorShape | None:
        """Nothing for what stays where it is, or makes nothing of what is computed."""
        read = [tensor for tensor in op.inputs if tensor is not None and tensor.data is None]
        inputs = tuple(self._number(tensor) for tensor in read)
        if not (inputs and op.outputs):
            return None
        if op.name in _VIEWS:
            self._numbers[op.outputs[0]] = inputs[0]
            return None
        outputs = tuple(self._number(tensor) for tensor in op.outputs)
        return operator_shape(op, inputs, outputs)


def operator_shape(
    op: Operator, inputs: tuple[int, ...], outputs: tuple[int, ...]
) -> OperatorShape:
    """One operator of a ``.tflite``, all its channels fixed; ``inputs`` and ``outputs`` are numbers of tensors."""
    kind, made = _KINDS.get(op.name, "other"), op.outputs[0]
    given = op.inputs[_DATA_INPUT.get(op.name, 0)]
    read = made if given is None else given
    features, positions_in = _channels(read), _positions(read)
    if kind == "dense" and (weights := op.inputs[_WEIGHTS]) is not None:  # flattens what it reads
        features = Channels(weights.shape[-1], _NO_SETS)
        positions_in = (1, prod(read.shape) // weights.shape[-1])
    kernel_size, stride = _window(op, kind, positions_in)
    return OperatorShape(
        name=made.name,
        kind=kind,
        inputs=inputs,
        outputs=outputs,
        channels_in=features,
        channels_out=_channels(made),
        positions_in=positions_in,
        positions=(1, 1) if op.name == "MEAN" else _positions(made),
        kernel=kernel_size,
        stride=stride,
    )


def _window(
    op: Operator, kind: str, positions_in: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Kernel and stride; a mean is over all positions."""
    if op.name == "MEAN":
        return positions_in, (1, 1)
    options = op.options
    stride = (int(options.get("strideH") or 1), int(options.get("strideW") or 1))
    if kind == "pool":
        return (int(options["filterHeight"]), int(options["filterWidth"])), stride
    weights = op.inputs[_WEIGHTS] if kind in ("conv", "depthwise", "transposed") else None
    return ((1, 1) if weights is None else (weights.shape[1], weights.shape[2])), stride


def _channels(tensor: Tensor) -> Channels:
    return Channels(tensor.shape[-1] if tensor.shape else 1, _NO_SETS)


def _positions(tensor: Tensor) -> tuple[int, int]:
    """(rows, columns), batches laid below each other."""
    return (prod(tensor.shape[:-2]), tensor.shape[-2]) if len(tensor.shape) > 1 else (1, 1)


def _once(numbers: list[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(numbers))
