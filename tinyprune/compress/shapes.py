"""The shape of a canonical Keras model: the operators that its int8 network has, their channels linear in kept units.

One walk of the graph with unit numbers for tensors, the one that finds the coupling, says for every
tensor which units its channels are. A speech network is taken as its one-frame form, whose contexts
are tensors too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from tinyprune.array_types import IntArray
from tinyprune.compress import graph
from tinyprune.compress.coupling import TensorChannels, Walk
from tinyprune.compress.layer_kinds import bias, kind
from tinyprune.compress.streaming import Context, streaming
from tinyprune.sparsity.network_shape import NetworkShape, OperatorShape, TensorShape, channels
from tinyprune.sparsity.unit_sets import Coupling

_layers = keras.layers
_UNKNOWN = -2
_KERNELS: dict[type, str] = {
    _layers.Conv1D: "conv",
    _layers.Conv2D: "conv",
    _layers.DepthwiseConv2D: "depthwise",
    _layers.Conv2DTranspose: "transposed",
    _layers.Dense: "dense",
    _layers.LSTM: "lstm",
}
_MERGES = (
    _layers.Add,
    _layers.Subtract,
    _layers.Multiply,
    _layers.Average,
    _layers.Maximum,
    _layers.Minimum,
)
_POOLS = (
    *(
        _layers.MaxPooling1D,
        _layers.MaxPooling2D,
        _layers.AveragePooling1D,
        _layers.AveragePooling2D,
    ),
    *(_layers.GlobalMaxPooling1D, _layers.GlobalMaxPooling2D),
    *(_layers.GlobalAveragePooling1D, _layers.GlobalAveragePooling2D),
)
# What TFLite leaves out, or makes without touching an element.
_VIEWS = (
    *(_layers.Flatten, _layers.Reshape, _layers.Identity, _layers.ActivityRegularization),
    *(_layers.Dropout, _layers.SpatialDropout1D, _layers.SpatialDropout2D, _layers.AlphaDropout),
    *(_layers.GaussianDropout, _layers.GaussianNoise),
)
_BY_ELEMENT = (
    *(
        _layers.ReLU,
        _layers.LeakyReLU,
        _layers.ELU,
        _layers.PReLU,
        _layers.Activation,
        _layers.Rescaling,
    ),
    _layers.BatchNormalization,
)
_OTHER_KINDS: dict[type, str] = {
    **dict.fromkeys(_MERGES, "add"),
    **dict.fromkeys(_POOLS, "pool"),
    **dict.fromkeys(_BY_ELEMENT, "activation"),
    **dict.fromkeys((_layers.ZeroPadding1D, _layers.ZeroPadding2D), "pad"),
    **dict.fromkeys((_layers.Cropping1D, _layers.Cropping2D), "slice"),
    _layers.Concatenate: "concat",
    _layers.Softmax: "softmax",
}
_OPERATIONS = {
    "Add": "add",
    "Subtract": "add",
    "Multiply": "add",
    "Maximum": "add",
    "Minimum": "add",
}
_OPERATIONS |= {"GetItem": "slice"} | dict.fromkeys(
    ("Relu", "Relu6", "Sigmoid", "Tanh", "HardSwish"), "activation"
)
_FUSED = ("linear", "relu", "relu6")  # what TFLite puts into the operator before


def network_shape(
    model: keras.Model, coupling: Coupling, frames: int | None = None
) -> NetworkShape:
    """The shape of a canonical model, batch 1.

    Args:
        model: plain, in canonical form (:func:`tinyprune.compress.fold.fold`).
        coupling: of the same layers; its sets are the shape's.
        frames: 1 for a sequence model that runs one frame per call; None for a model without a time
            axis.

    Raises UsageError if the model looks ahead though it runs frame by frame, or if units of one set
    are in a tensor a different number of times.
    """
    one_call, contexts = streaming(model) if frames == 1 else (model, ())
    return _Shapes(one_call, coupling, contexts).shape()


@dataclass(frozen=True)
class _Value(TensorChannels):
    """What stands for a tensor in the walk.

    Attributes:
        number: of the memory that it is in.
        positions: (rows, columns).
        takes_relu: whether a ReLU after it becomes part of the operator that made it.
    """

    number: int
    positions: tuple[int, int]
    takes_relu: bool = False


class _Shapes:
    """Walks a graph and collects tensors and operators; their channels are numbers of the walk until all is seen."""

    def __init__(self, model: keras.Model, coupling: Coupling, contexts: Sequence[Context]) -> None:
        self._model, self._coupling = model, coupling
        self._walk, self._uses = Walk(model.name), graph.Uses(model)
        self._contexts = {f"{context.name}_context" for context in contexts}
        self._tensors: list[tuple[IntArray, dict[str, Any]]] = []
        self._operators: list[tuple[IntArray, IntArray, dict[str, Any]]] = []

    def shape(self) -> NetworkShape:
        given = [self._given(tensor) for tensor in graph.functional(self._model).inputs]
        made = graph.run(self._model, given, self._call)
        units, sets = self._units(), self._coupling.sets
        inputs, outputs = (
            tuple(dict.fromkeys(value.number for value in values)) for values in (given, made)
        )
        return NetworkShape(
            tuple(
                TensorShape(channels=channels(units[ids], sets), **fields)
                for ids, fields in self._tensors
            ),
            tuple(
                OperatorShape(
                    channels_in=channels(units[read], sets),
                    channels_out=channels(units[out], sets),
                    **fields,
                )
                for read, out, fields in self._operators
            ),
            *(sets, inputs, outputs),
        )

    def _given(self, tensor: keras.KerasTensor) -> _Value:
        """An input; the channels of a context are those of the layer that it belongs to, which is not seen yet."""
        ids = np.zeros(tensor.shape[-1] or 1, np.int64)
        if tensor.name in self._contexts:
            ids = 1 + sum(self._walk.makers.values()) + np.arange(len(ids))
            self._walk.makers[tensor.name] = len(ids)
        return self._new(tensor.name, ids, _positions(tensor.shape))

    def _units(self) -> IntArray:
        """For each number of the walk its unit in the coupling."""
        units = np.full(1 + sum(self._walk.makers.values()), _UNKNOWN)
        units[0] = -1
        for key, ids in self._walk.outputs.items():
            units[ids] = self._coupling.outputs[key]
        for first, second in self._walk.same:  # a context is joined with a tensor that has units
            for unknown, known in ((first, second), (second, first)):
                units[unknown] = np.where(units[unknown] == _UNKNOWN, units[known], units[unknown])
        return np.where(units == _UNKNOWN, -1, units)

    def _call(self, node: Any, args: tuple, kwargs: dict[str, Any]) -> list[_Value]:
        found = [args[0]] if _takes_frames(node) else self._walk.call(node, args, kwargs)
        values = [leaf for leaf in keras.tree.flatten((args, kwargs)) if isinstance(leaf, _Value)]
        places = [_positions(tensor.shape) for tensor in node.outputs]
        if self._is_view(node, values):
            return [
                _Value(one.ids, values[0].number, at) for one, at in zip(found, places, strict=True)
            ]
        is_kernel = isinstance(node.operation, keras.Layer) and kind(node.operation) is not None
        make = self._kernel if is_kernel else self._plain
        return [make(node, values, one.ids, at) for one, at in zip(found, places, strict=True)]

    def _is_view(self, node: Any, values: list[_Value]) -> bool:
        """Whether TFLite has no operator for it."""
        operation = node.operation
        if type(operation) in _VIEWS or _function(operation) == "linear":
            return True
        maker = self._operators and self._operators[-1][2]["outputs"]
        return bool(
            _function(operation) in _FUSED and values[0].takes_relu and maker == (values[0].number,)
        )

    def _kernel(
        self, node: Any, values: list[_Value], ids: IntArray, positions: tuple[int, int]
    ) -> _Value:
        """An operator with kernels, and its activation where that is one of its own."""
        layer, given = node.operation, values[0]
        made = self._new(layer.name, ids, positions)
        inputs = [value.number for value in values]
        if isinstance(layer, _layers.LSTM):
            inputs += [
                self._new(f"{layer.name}/{name}", ids, (1, 1), size, True).number
                for name, size in _STATES
            ]
        self._add(
            *(
                layer.name,
                _KERNELS[kind(layer) or type(layer)],
                inputs,
                made,
                given.ids,
                given.positions,
            ),
            kernel=_pair(getattr(layer, "kernel_size", 1)),
            stride=_pair(getattr(layer, "strides", 1)),
            has_bias=bias(layer) is not None,
        )
        function = getattr(getattr(layer, "activation", None), "__name__", "linear")
        if isinstance(layer, _layers.LSTM) or function in _FUSED:
            return made
        after = self._new(f"{layer.name}/{function}", ids, positions)
        self._add(
            f"{layer.name}/{function}", _by_function(function), [made.number], after, ids, positions
        )
        return after

    def _plain(
        self, node: Any, values: list[_Value], ids: IntArray, positions: tuple[int, int]
    ) -> _Value:
        """An operator without kernels."""
        operation, given = node.operation, values[0]
        name = _OTHER_KINDS.get(type(operation)) or _OPERATIONS.get(
            type(operation).__name__, "other"
        )
        if name == "activation":
            name = _by_function(_function(operation))
        made = self._new(operation.name, ids, positions, takes_relu=name == "add")
        window, stride = _window(operation, given.positions)
        inputs = [value.number for value in values]
        self._add(
            operation.name,
            name,
            inputs,
            made,
            given.ids,
            given.positions,
            kernel=window,
            stride=stride,
        )
        return made

    def _new(
        self,
        name: str,
        ids: IntArray,
        positions: tuple[int, int],
        size: int = 1,
        state: bool = False,
        takes_relu: bool = False,
    ) -> _Value:
        fields = {
            "name": name,
            "positions": positions,
            "bytes_per_element": size,
            "is_state": state,
        }
        self._tensors.append((ids, fields))
        return _Value(ids, len(self._tensors) - 1, positions, takes_relu)

    def _add(
        self,
        name: str,
        of: str,
        inputs: list[int],
        made: _Value,
        read: IntArray,
        at: tuple[int, int],
        **more: Any,
    ) -> None:
        fields = {"name": name, "kind": of, "inputs": tuple(inputs), "outputs": (made.number,)}
        self._operators.append(
            (read, made.ids, fields | {"positions_in": at, "positions": made.positions} | more)
        )


_STATES = (("hidden", 1), ("cell", 2))  # of an LSTM, with the bytes of an element: int8 and int16


def _positions(shape: Sequence[int | None]) -> tuple[int, int]:
    """(rows, columns) of a Keras shape (batch, ..., channels); what is open is one frame."""
    sizes = [1 if size is None else int(size) for size in shape[1:-1]]
    return (int(np.prod(sizes[:-1])), sizes[-1]) if sizes else (1, 1)


def _pair(size: Any) -> tuple[int, int]:
    """(rows, columns) of a setting for one axis or for two."""
    values = tuple(np.atleast_1d(size).tolist())
    return (1, values[0]) if len(values) == 1 else (values[0], values[1])


def _takes_frames(node: Any) -> bool:
    """Whether it takes some frames with all of their channels, as the one-frame form does for a dilated convolution."""
    shapes = [tensor.shape for tensor in (*node.input_tensors, *node.outputs)]
    return (
        type(node.operation).__name__ == "GetItem"
        and len({(len(shape), shape[-1]) for shape in shapes}) == 1
    )


def _window(operation: Any, positions: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Kernel and stride of a pool; a global one covers all positions. (1, 1) twice for everything else."""
    if not isinstance(operation, _POOLS):
        return (1, 1), (1, 1)
    size = _pair(operation.pool_size) if hasattr(operation, "pool_size") else positions
    return size, _pair(operation.strides) if hasattr(operation, "strides") else size


def _function(operation: Any) -> str:
    """Name of what an activation layer or operation computes, else an empty one."""
    if type(operation) is _layers.ReLU:
        plain = not operation.negative_slope and not operation.threshold
        return {None: "relu", 6.0: "relu6"}.get(operation.max_value, "other") if plain else "other"
    if type(operation) is _layers.Activation:
        return str(getattr(operation.activation, "__name__", "other"))
    return {"Relu": "relu", "ReLU": "relu", "Relu6": "relu6"}.get(type(operation).__name__, "")


def _by_function(function: str) -> str:
    return "softmax" if function == "softmax" else "activation"
