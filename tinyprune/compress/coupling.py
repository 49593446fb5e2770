"""The coupling of a Keras model: which units its layers share, found by walking its graph with numbers for tensors.

A tensor is stood for by one number per channel of its last axis: 0 for a channel that stays, else
    the channel of the
layer that made it. Layers with kernels make new numbers, merges say that two numbers are one unit,
and whatever is not understood says that its channels stay. What hangs together in the end is one
unit.
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tinyprune.array_types import IntArray
from tinyprune.compress import graph
from tinyprune.compress.layer_kinds import kernels, kind, layout
from tinyprune.errors import UsageError
from tinyprune.sparsity.layout import Layout
from tinyprune.sparsity.unit_sets import Coupling, UnitSet

_GATES = 4  # of an LSTM, side by side in its kernels
_STAYS = 0

_layers, _functions = keras.layers, keras.activations
_NOT_BY_ELEMENT = ("softmax", "log_softmax", "sparsemax", "glu", "get", "serialize", "deserialize")
_BY_ELEMENT = [
    function for name, function in vars(_functions).items() if name not in _NOT_BY_ELEMENT
]
# Layers that treat every channel alike and alone. Those with a data format are checked for
# channels_last.
_PER_CHANNEL = (
    *(
        _layers.ReLU,
        _layers.LeakyReLU,
        _layers.ELU,
        _layers.PReLU,
        _layers.Identity,
        _layers.RepeatVector,
    ),
    *(_layers.Dropout, _layers.SpatialDropout1D, _layers.SpatialDropout2D, _layers.AlphaDropout),
    *(_layers.GaussianDropout, _layers.GaussianNoise, _layers.ActivityRegularization),
    *(_layers.ZeroPadding1D, _layers.ZeroPadding2D, _layers.Cropping1D, _layers.Cropping2D),
    *(_layers.UpSampling1D, _layers.UpSampling2D),
    *(
        _layers.MaxPooling1D,
        _layers.MaxPooling2D,
        _layers.AveragePooling1D,
        _layers.AveragePooling2D,
    ),
    *(_layers.GlobalMaxPooling1D, _layers.GlobalMaxPooling2D),
    *(_layers.GlobalAveragePooling1D, _layers.GlobalAveragePooling2D),
)
_MERGES = (
    _layers.Add,
    _layers.Subtract,
    _layers.Multiply,
    _layers.Average,
    _layers.Maximum,
    _layers.Minimum,
)
# Names of Keras operations, such as `x + y` or `keras.ops.relu(x)`, that work element by element.
_OPERATIONS_BY_ELEMENT = {
    *("Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Maximum", "Minimum", "Power"),
    *("Negative", "Absolute", "Square", "Sqrt", "Rsqrt", "Exp", "Log", "Reciprocal"),
    *(
        "Relu",
        "ReLU",
        "Relu6",
        "LeakyRelu",
        "Elu",
        "Selu",
        "Gelu",
        "Silu",
        "Sigmoid",
        "Tanh",
        "Softplus",
        "Softsign",
    ),
    *("HardSigmoid", "HardSilu", "HardTanh"),
}
_REDUCTIONS = {"Mean", "Sum", "Max", "Min"}


def coupling(model: keras.Model) -> Coupling:
    """The coupling of the units of a functional or Sequential model, nested or flat.

    Inputs and outputs of the network stay, and so does what goes into or comes out of a layer that
    is not understood: grouped convolutions, GRU, softmax over channels, channels_first, users' own
    layers.

    Raises UsageError for a model without a graph, with two layers of one name, or in which no unit
    can be removed.
    """
    walk = Walk(model.name)
    stay = [
        TensorChannels(np.zeros(tensor.shape[-1] or 1, np.int64))
        for tensor in graph.functional(model).inputs
    ]
    for output in graph.run(model, stay, walk.call):
        walk.fix(output.ids)
    sets, numbers = _numbered(walk)
    if not sets:
        message = "expected a layer before the last whose channels do not reach an output, an input or an unknown layer"
        raise UsageError(f"model '{model.name}' has no unit that can be removed: {message}")
    inputs, outputs, channels = (
        {key: numbers[ids] for key, ids in found.items()}
        for found in (walk.inputs, walk.outputs, walk.channels)
    )
    return Coupling(sets, inputs, outputs, walk.layouts, walk.shapes, channels)


@dataclass(frozen=True)
class TensorChannels:
    """What stands for a tensor. Attributes: ids: one number per channel of its last axis."""

    ids: IntArray


class Walk:
    """Stands in for layers and collects what they say about channels.

    Attributes:
        inputs, outputs, layouts, shapes, channels: as in Coupling, with the numbers of this walk.
        same: pairs of equally long arrays of numbers that are one unit each.
        makers: layer that made numbers -> how many; the numbers run from 1 in this order.
    """

    def __init__(self, model_name: str) -> None:
        self.inputs: dict[str, IntArray] = {}
        self.outputs: dict[str, IntArray] = {}
        self.layouts: dict[str, Layout] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.channels: dict[str, IntArray] = {}
        self.same: list[tuple[IntArray, IntArray]] = []
        self.makers: dict[str, int] = {}
        self._model_name = model_name
        self._named: dict[str, Any] = {}
        self._calls: dict[
            str, tuple[IntArray, IntArray]
        ] = {}  # what a layer read and made when it was first called

    def call(self, node: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """The channels of each output of a call. What no rule understands keeps all its channels."""
        leaves = keras.tree.flatten((args, kwargs))
        inputs = [leaf.ids for leaf in leaves if isinstance(leaf, TensorChannels)]
        if graph.is_model(node.operation):
            return graph.run(node.operation, [TensorChannels(ids) for ids in inputs], self.call)
        if self._named.setdefault(node.operation.name, node.operation) is not node.operation:
            name = f"two layers of model '{self._model_name}' are named '{node.operation.name}'"
            raise UsageError(f"{name}: give each a name of its own")
        constants = [leaf for leaf in leaves if not isinstance(leaf, TensorChannels)]
        widths = [tensor.shape[-1] for tensor in node.outputs]
        found = self._outputs(node, inputs, constants)
        if found is None or any(len(found) != width for width in widths):
            for ids in inputs:
                self.fix(ids)
            if isinstance(node.operation, keras.Layer) and kind(node.operation) is not None:
                self._keep_all(node.operation)
            return [TensorChannels(np.zeros(width or 1, np.int64)) for width in widths]
        return [TensorChannels(found) for _ in widths]

    def fix(self, ids: IntArray) -> None:
        """These channels stay."""
        self.same.append((ids, np.full_like(ids, _STAYS)))

    def _outputs(self, node: Any, inputs: list[IntArray], constants: list[Any]) -> IntArray | None:
        """The channels of every output of a call, or None where it is not understood."""
        operation = node.operation
        if any(len(tensor.shape) < 2 for tensor in (*node.input_tensors, *node.outputs)):
            return None
        if not isinstance(operation, keras.Layer):
            return self._operation(node, inputs, constants)
        if getattr(operation, "data_format", "channels_last") != "channels_last":
            return None
        if kind(operation) is not None:
            return self._kernels(operation, inputs)
        if type(operation) in _MERGES:
            return self._merged(inputs)
        if type(operation) is _layers.Concatenate:
            return self._concatenated(operation.axis, node, inputs)
        return self._one_input(operation, node, inputs[0]) if len(inputs) == 1 else None

    def _one_input(self, layer: Any, node: Any, ids: IntArray) -> IntArray | None:
        if type(layer) in (_layers.Flatten, _layers.Reshape):
            found = self._reshaped(ids, node.outputs[0].shape[-1])
        else:
            found = ids if _is_per_channel(layer, len(node.outputs[0].shape)) else None
        if found is not None and (layer.weights or type(layer) is _layers.Reshape):
            self.channels[layer.name] = self._merged([self.channels.get(layer.name, found), found])
        return found

    def _operation(
        self, node: Any, inputs: list[IntArray], constants: list[Any]
    ) -> IntArray | None:
        name, rank = type(node.operation).__name__, len(node.input_tensors[0].shape)
        if not type(node.operation).__module__.startswith("keras.src."):
            return None
        if name in _OPERATIONS_BY_ELEMENT:
            return self._merged(inputs) if all(_width(value) == 1 for value in constants) else None
        if name == "Concatenate":
            return self._concatenated(node.operation.axis, node, inputs)
        if name in _REDUCTIONS and len(inputs) == 1 and _spares_last(node.operation.axis, rank):
            return inputs[0]
        return None

    def _merged(self, inputs: list[IntArray]) -> IntArray:
        """Channel by channel the same units; a single channel that is spread over many stays."""
        longest = max(inputs, key=len)
        for ids in inputs:
            if len(ids) == len(longest):
                self.same.append((longest, ids))
            else:
                self.fix(ids)
        return longest

    def _concatenated(self, axis: int, node: Any, inputs: list[IntArray]) -> IntArray:
        return (
            np.concatenate(inputs)
            if axis in (-1, len(node.outputs[0].shape) - 1)
            else self._merged(inputs)
        )

    def _reshaped(self, ids: IntArray, width: int | None) -> IntArray | None:
        """The last axis merged with those before it, or divided: then every part has the same units."""
        if width and width % len(ids) == 0:
            return np.tile(ids, width // len(ids))
        if width and len(ids) % width == 0:
            return self._merged(list(ids.reshape(-1, width)))
        return None

    def _kernels(self, layer: Any, inputs: list[IntArray]) -> IntArray | None:
        """The outputs of a layer with kernels: at each further call the same as at its first, from the same inputs."""
        has_state = isinstance(layer, _layers.LSTM) and len(inputs) == 3  # its first h and c
        if getattr(layer, "groups", 1) != 1 or (len(inputs) != 1 and not has_state):
            return None
        if layer.name not in self._calls:
            self._calls[layer.name] = inputs[0], self._made(layer, inputs[0])
        read, made = self._calls[layer.name]
        self.same += [(read, inputs[0]), *((made, state) for state in inputs[1:])]
        return made

    def _made(self, layer: Any, ids: IntArray) -> IntArray:
        is_lstm = isinstance(layer, _layers.LSTM)
        if layout(layer) is Layout.DEPTHWISE:
            made = np.repeat(ids, layer.depth_multiplier)
            self._record(layer, "kernel", np.array([_STAYS]), made)
        else:
            size = layer.units if hasattr(layer, "units") else layer.filters
            made = 1 + sum(self.makers.values()) + np.arange(size)
            self.makers[layer.name] = size
            self._record(layer, "kernel", ids, np.tile(made, _GATES if is_lstm else 1))
        if is_lstm:
            self._record(layer, "recurrent_kernel", made, np.tile(made, _GATES))
        if any(function not in _BY_ELEMENT for function in _activations(layer)):
            self.fix(made)
        return made

    def _keep_all(self, layer: Any) -> None:
        """A layer with kernels that is called in a way that is not understood: grouped convolutions, say."""
        if layer.name not in self._calls:
            axis = -1 if layout(layer) is Layout.TRANSPOSED else -2
            read = np.full(kernels(layer)["kernel"].shape[axis], _STAYS)
            self._calls[layer.name] = read, self._made(layer, read)
        for ids in self._calls[layer.name]:
            self.fix(ids)

    def _record(self, layer: Any, kernel: str, inputs: IntArray, outputs: IntArray) -> None:
        key = f"{layer.name}/{kernel}"
        self.inputs[key], self.outputs[key] = inputs, outputs
        self.layouts[key], self.shapes[key] = layout(layer), tuple(kernels(layer)[kernel].shape)


def _activations(layer: Any) -> list[Any]:
    both = (getattr(layer, name, None) for name in ("activation", "recurrent_activation"))
    return [function for function in both if function is not None]


def _is_per_channel(layer: Any, rank: int) -> bool:
    """Whether a layer with one input treats every channel of its last axis alone and keeps their order."""
    if type(layer) is _layers.BatchNormalization:
        return layer.axis in (-1, rank - 1)
    if type(layer) is _layers.Activation:
        return layer.activation in _BY_ELEMENT
    if type(layer) is _layers.Softmax:
        return _spares_last(layer.axis, rank)
    if type(layer) is _layers.Permute:
        return layer.dims[-1] == rank - 1
    if type(layer) is _layers.Rescaling:
        return np.ndim(layer.scale) == np.ndim(layer.offset) == 0
    return type(layer) in _PER_CHANNEL


def _spares_last(axes: Any, rank: int) -> bool:
    """Whether an operation over these axes leaves the last one alone; None is all axes."""
    return axes is not None and all(axis % rank != rank - 1 for axis in np.atleast_1d(axes))


def _width(value: Any) -> int:
    """Length of the last axis of an array; 1 for what is none."""
    return (tuple(getattr(value, "shape", ())) or (1,))[-1]


def _numbered(walk: Walk) -> tuple[tuple[UnitSet, ...], IntArray]:
    """The sets, and for each number of the walk the unit that it is, or -1 if it stays.

    Numbers that are the same, directly or through others, are one unit; units that the same layers
    make are one set.
    """
    count = 1 + sum(walk.makers.values())
    first, second = (np.concatenate(side) for side in zip(*walk.same, strict=True))
    links = coo_array((np.ones(len(first), bool), (first, second)), shape=(count, count))
    component = connected_components(links, directed=False)[1]
    makers = np.repeat(list(walk.makers), list(walk.makers.values()))
    members: dict[int, list[int]] = {}
    for number in np.flatnonzero(component != component[_STAYS]).tolist():
        members.setdefault(component[number], []).append(number)
    found: dict[frozenset[str], list[list[int]]] = {}
    for unit in members.values():
        found.setdefault(frozenset(makers[number - 1] for number in unit), []).append(unit)
    numbers, sets, start = np.full(count, -1), [], 0
    for units in found.values():
        for offset, unit in enumerate(units):
            numbers[unit] = start + offset
        sets.append(UnitSet(str(makers[units[0][0] - 1]), start, len(units)))
        start += len(units)
    return tuple(sets), numbers
