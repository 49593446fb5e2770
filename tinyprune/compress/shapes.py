"""The shape of a canonical Keras model: its int8 operators, with channels linear in kept units.

One walk of the graph with unit numbers for tensors, the one that finds the coupling, says for every
tensor which units its channels are. A speech network is taken as its one-frame form, whose contexts
are tensors too.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from tinyprune.array_types import IntArray
from tinyprune.compress import graph
from tinyprune.compress.activations import FUSED
from tinyprune.compress.coupling import TensorChannels, Walk
from tinyprune.compress.kinds.attention import Attention, HeadAttention
from tinyprune.compress.kinds.base import KernelKind, LayerKind, Pair, bias
from tinyprune.compress.kinds.channels import STAYS
from tinyprune.compress.kinds.lookup import layer_kind
from tinyprune.compress.streaming import Context, streaming
from tinyprune.sparsity.network_shape import NetworkShape, OperatorShape, TensorShape, channels
from tinyprune.sparsity.unit_sets import Coupling

_UNKNOWN = -2


def network_shape(
    model: keras.Model, coupling: Coupling, frames: int | None = None
) -> NetworkShape:
    """Return the shape of a canonical model, batch 1.

    Args:
        model: plain, in canonical form (:func:`tinyprune.compress.fold.fold`).
        coupling: of the same layers; its sets are the shape's.
        frames: 1 for a sequence model that runs one frame per call; None for a model without a time
            axis.

    Raises:
        UsageError: the model looks ahead though it runs frame by frame, or units of one set are in
            a tensor a different number of times.
    """
    one_call, contexts = streaming(model) if frames == 1 else (model, ())
    return _Shapes(one_call, coupling, contexts).shape()


@dataclass(frozen=True)
class _Value(TensorChannels):
    """The stand-in for a tensor in the walk.

    Attributes:
        number: of the memory that it is in.
        positions: (rows, columns).
        takes_relu: whether a ReLU after it becomes part of the operator that made it.
    """

    number: int
    positions: Pair
    takes_relu: bool = False


@dataclass(frozen=True, eq=False)
class _Tensor:
    """A tensor whose channels are still numbers of the walk. Attributes as in TensorShape."""

    name: str
    ids: IntArray
    positions: Pair
    bytes_per_element: int = 1
    is_state: bool = False
    head_channels: int = 0


@dataclass(frozen=True, eq=False)
class _Operator:
    """An operator whose channels are still numbers of the walk.

    Attributes:
        read: the first input.
        made: the output.
        name, kind, inputs, kernel, stride, has_bias, head_channels: as in OperatorShape.
    """

    name: str
    kind: str
    inputs: tuple[int, ...]
    read: _Value
    made: _Value
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    has_bias: bool = False
    head_channels: Pair | None = None


class _Shapes:
    """Walks a graph and collects tensors and operators.

    Channels are numbers of the walk until all is seen.
    """

    def __init__(self, model: keras.Model, coupling: Coupling, contexts: Sequence[Context]) -> None:
        self._model = model
        self._coupling = coupling
        self._contexts = {f"{context.name}_context" for context in contexts}
        self._walk = Walk(model.name)
        self._tensors: list[_Tensor] = []
        self._operators: list[_Operator] = []

    def shape(self) -> NetworkShape:
        """Return the shape of the network."""
        inputs = [self._input(tensor) for tensor in graph.functional(self._model).inputs]
        outputs = graph.run(self._model, inputs, self._call)
        unit_of = self._units()
        return NetworkShape(
            tuple(self._tensor_shape(tensor, unit_of) for tensor in self._tensors),
            tuple(self._operator_shape(operator, unit_of) for operator in self._operators),
            self._coupling.sets,
            _different_numbers(inputs),
            _different_numbers(outputs),
        )

    def _tensor_shape(self, tensor: _Tensor, unit_of: IntArray) -> TensorShape:
        return TensorShape(
            name=tensor.name,
            positions=tensor.positions,
            channels=channels(unit_of[tensor.ids], self._coupling.sets),
            bytes_per_element=tensor.bytes_per_element,
            is_state=tensor.is_state,
            head_channels=tensor.head_channels,
        )

    def _operator_shape(self, operator: _Operator, unit_of: IntArray) -> OperatorShape:
        sets = self._coupling.sets
        return OperatorShape(
            name=operator.name,
            kind=operator.kind,
            inputs=operator.inputs,
            outputs=(operator.made.number,),
            channels_in=channels(unit_of[operator.read.ids], sets),
            channels_out=channels(unit_of[operator.made.ids], sets),
            positions_in=operator.read.positions,
            positions=operator.made.positions,
            kernel=operator.kernel,
            stride=operator.stride,
            has_bias=operator.has_bias,
            head_channels=operator.head_channels,
        )

    def _input(self, tensor: keras.KerasTensor) -> _Value:
        """An input of the network.

        The channels of a context are those of the layer that it belongs to, which is not seen yet.
        """
        width = tensor.shape[-1] or 1
        if tensor.name in self._contexts:
            ids = self._walk.numbers.new(tensor.name, width)
        else:
            ids = np.full(width, STAYS)
        return self._new_tensor(tensor.name, ids, _positions(tensor.shape))

    def _units(self) -> IntArray:
        """For each number of the walk its unit in the coupling, -1 for a channel that stays."""
        unit_of = np.full(self._walk.numbers.count, _UNKNOWN)
        unit_of[STAYS] = -1
        for key, ids in self._walk.outputs.items():
            unit_of[ids] = self._coupling.outputs[key]
        # A context is joined with a tensor that has units.
        for first, second in self._walk.numbers.same:
            unit_of[first] = _where_unknown(unit_of[first], unit_of[second])
            unit_of[second] = _where_unknown(unit_of[second], unit_of[first])
        return _where_unknown(unit_of, np.full_like(unit_of, -1))

    def _call(self, node: Any, args: tuple, kwargs: dict[str, Any]) -> list[_Value]:
        leaves = keras.tree.flatten((args, kwargs))
        values = [leaf for leaf in leaves if isinstance(leaf, _Value)]
        made = [args[0]] if _takes_frames(node) else self._walk.call(node, args, kwargs)
        kind = layer_kind(node.operation)
        is_view = self._is_view(kind, node.operation, values[0])
        outputs = []
        for stand_in, tensor in zip(made, node.outputs, strict=True):
            ids = stand_in.ids
            positions = _positions(tensor.shape)
            if is_view:
                output = _Value(ids, values[0].number, positions)
            elif isinstance(kind, Attention):
                output = self._attention(node.operation, values)
            elif isinstance(kind, KernelKind):
                output = self._kernel(kind, node.operation, values, ids, positions)
            else:
                output = self._plain(kind, node.operation, values, ids, positions)
            outputs.append(output)
        return outputs

    def _is_view(self, kind: LayerKind, operation: Any, read: _Value) -> bool:
        """Return whether TFLite has no operator for it, or has it in the one before."""
        function = kind.fused_function(operation)
        if kind.is_view or function == "linear":
            return True
        last_made = self._operators[-1].made.number if self._operators else None
        return function in FUSED and read.takes_relu and read.number == last_made

    def _kernel(
        self, kind: KernelKind, layer: Any, values: list[_Value], ids: IntArray, positions: Pair
    ) -> _Value:
        """An operator with kernels, and its activation where that is one of its own."""
        made = self._new_tensor(layer.name, ids, positions)
        inputs = [value.number for value in values]
        for state in kind.states:
            name = f"{layer.name}/{state.name}"
            inputs.append(self._new_state(name, ids, state.element_bytes))
        size, stride = kind.window(layer, values[0].positions)
        self._operators.append(
            _Operator(
                name=layer.name,
                kind=kind.operator,
                inputs=tuple(inputs),
                read=values[0],
                made=made,
                kernel=size,
                stride=stride,
                has_bias=bias(layer) is not None,
            )
        )
        function = kind.function_after(layer)
        return made if function in FUSED else self._activation(layer, function, made)

    def _activation(self, layer: Any, function: str, read: _Value) -> _Value:
        """The operator of an activation function that TFLite does not fuse."""
        name = f"{layer.name}/{function}"
        made = self._new_tensor(name, read.ids, read.positions)
        kind = _function_operator(function)
        self._operators.append(_Operator(name, kind, (read.number,), read, made))
        return made

    def _plain(
        self, kind: LayerKind, operation: Any, values: list[_Value], ids: IntArray, positions: Pair
    ) -> _Value:
        """An operator without kernels."""
        operator = kind.operator
        if operator == "activation":
            operator = _function_operator(kind.function(operation))
        is_sum = operator == "add"
        size, stride = kind.window(operation, values[0].positions)
        for _ in range(kind.operators(operation)):
            made = self._new_tensor(operation.name, ids, positions, takes_relu=is_sum)
            inputs = tuple(value.number for value in values)
            self._operators.append(
                _Operator(operation.name, operator, inputs, values[0], made, size, stride)
            )
            values = [made]
        return values[0]

    def _attention(self, layer: HeadAttention, values: list[_Value]) -> _Value:
        """The operators of ``softmax(q k^T) v``, in the order that the converter has them in."""
        name = layer.name
        queries = self._transposed(f"{name}/queries", values[0])
        keys = self._transposed(f"{name}/keys", values[1])
        # A head has a score for each position that it reads.
        read = math.prod(values[1].positions)
        scores_ids = np.repeat(queries.ids[:: layer.key_size], read)
        size = (layer.key_size, read)
        scores = self._product(f"{name}/scores", queries, keys, scores_ids, size)
        if layer.causal:
            mask = f"{name}/mask"
            seen = self._new_tensor(mask, scores_ids, scores.positions, head_channels=read)
            self._add(mask, "add", [scores], seen)
            scores = seen
        softmax = f"{name}/softmax"
        chances = self._new_tensor(softmax, scores_ids, scores.positions, head_channels=read)
        self._add(softmax, "softmax", [scores], chances, (read, read))
        given = self._transposed(f"{name}/values", values[2])
        size = (read, layer.value_size)
        made = self._product(f"{name}/product", chances, given, given.ids, size)
        return self._transposed(name, made)

    def _transposed(self, name: str, read: _Value) -> _Value:
        """The operator that puts heads before positions, or positions before heads."""
        made = self._new_tensor(name, read.ids, read.positions)
        self._add(name, "transpose", [read], made)
        return made

    def _product(
        self, name: str, left: _Value, right: _Value, ids: IntArray, head_channels: Pair
    ) -> _Value:
        """The product of two feature maps, head by head."""
        made = self._new_tensor(name, ids, left.positions, head_channels=head_channels[1])
        self._add(name, "matmul", [left, right], made, head_channels)
        return made

    def _add(
        self,
        name: str,
        kind: str,
        inputs: list[_Value],
        made: _Value,
        head_channels: Pair | None = None,
    ) -> None:
        """An operator of one position."""
        numbers = tuple(value.number for value in inputs)
        operator = _Operator(name, kind, numbers, inputs[0], made, head_channels=head_channels)
        self._operators.append(operator)

    def _new_tensor(
        self,
        name: str,
        ids: IntArray,
        positions: Pair,
        takes_relu: bool = False,
        head_channels: int = 0,
    ) -> _Value:
        self._tensors.append(_Tensor(name, ids, positions, head_channels=head_channels))
        return _Value(ids, len(self._tensors) - 1, positions, takes_relu)

    def _new_state(self, name: str, ids: IntArray, element_bytes: int) -> int:
        """The number of a tensor that lives from call to call."""
        self._tensors.append(_Tensor(name, ids, (1, 1), element_bytes, is_state=True))
        return len(self._tensors) - 1


def _different_numbers(values: list[_Value]) -> tuple[int, ...]:
    """The numbers of the tensors, each once, in order."""
    return tuple(dict.fromkeys(value.number for value in values))


def _where_unknown(units: IntArray, others: IntArray) -> IntArray:
    return np.where(units == _UNKNOWN, others, units)


def _function_operator(function: str | None) -> str:
    return "softmax" if function == "softmax" else "activation"


def _positions(shape: Sequence[int | None]) -> Pair:
    """(rows, columns) of a Keras shape (batch, ..., channels); what is open is one frame."""
    sizes = [1 if size is None else int(size) for size in shape[1:-1]]
    if not sizes:
        return 1, 1
    return int(np.prod(sizes[:-1])), sizes[-1]


def _takes_frames(node: Any) -> bool:
    """Return whether an operation takes some frames with all of their channels.

    The one-frame form does so for a dilated convolution.
    """
    if type(node.operation).__name__ != "GetItem":
        return False
    tensors = [*node.input_tensors, *node.outputs]
    return len({(len(tensor.shape), tensor.shape[-1]) for tensor in tensors}) == 1
