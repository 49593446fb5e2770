"""The coupling of a Keras model: the units that its layers share.

It is found by walking the graph with numbers for tensors. A tensor is stood for by one number per
channel of its last axis (``kinds/channels.py``): 0 for a channel that stays, else the channel of
the layer that made it. Layers with kernels make new numbers, merges say that two numbers are one
unit, and whatever is not understood says that its channels stay. What hangs together in the end is
one unit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from tinyprune.array_types import IntArray
from tinyprune.compress import graph
from tinyprune.compress.kinds.base import KernelKind, kernels
from tinyprune.compress.kinds.channels import STAYS, LayerCall, UnitNumbers
from tinyprune.compress.kinds.lookup import kernel_kind, layer_kind
from tinyprune.errors import UsageError
from tinyprune.sparsity.layout import Layout
from tinyprune.sparsity.unit_sets import Coupling


def coupling(model: keras.Model) -> Coupling:
    """Return the coupling of the units of a functional or Sequential model, nested or flat.

    Inputs and outputs of the network stay, and so does what goes into or comes out of a layer that
    is not understood: grouped convolutions, SimpleRNN, softmax over channels, channels_first,
    users' own layers.

    Raises UsageError for a model without a graph, with two layers of one name, or in which no unit
    can be removed.
    """
    walk = Walk(model.name)
    inputs = [fixed_channels(tensor) for tensor in graph.functional(model).inputs]
    for output in graph.run(model, inputs, walk.call):
        walk.numbers.fix(output.ids)
    sets, unit_of = walk.numbers.units()
    if not sets:
        raise UsageError(
            f"model '{model.name}' has no unit that can be removed: expected a layer before the "
            "last whose channels do not reach an output, an input or an unknown layer"
        )
    return Coupling(
        sets,
        _as_units(walk.inputs, unit_of),
        _as_units(walk.outputs, unit_of),
        walk.layouts,
        walk.shapes,
        _as_units(walk.channels, unit_of),
        frozenset(walk.passing),
    )


def _as_units(numbers: Mapping[str, IntArray], unit_of: IntArray) -> dict[str, IntArray]:
    return {key: unit_of[ids] for key, ids in numbers.items()}


@dataclass(frozen=True)
class TensorChannels:
    """The stand-in for a tensor. Attributes: ids: one number per channel of its last axis."""

    ids: IntArray


def fixed_channels(tensor: keras.KerasTensor) -> TensorChannels:
    """Return the stand-in for a tensor whose channels stay."""
    return TensorChannels(np.full(tensor.shape[-1] or 1, STAYS))


class Walk:
    """Stands in for layers and collects what they say about channels.

    Attributes:
        numbers: of the channels.
        inputs, outputs, layouts, shapes, channels, passing: as in Coupling, with the numbers of
            this walk.
    """

    def __init__(self, model_name: str) -> None:
        self.numbers = UnitNumbers()
        self.inputs: dict[str, IntArray] = {}
        self.outputs: dict[str, IntArray] = {}
        self.layouts: dict[str, Layout] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.channels: dict[str, IntArray] = {}
        self.passing: set[str] = set()
        self._model_name = model_name
        self._by_name: dict[str, Any] = {}
        # For each layer with kernels the channels that it read and made when first called.
        self._first_calls: dict[str, tuple[IntArray, IntArray]] = {}

    def call(self, node: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Return the channels of each output of a call; all stay where no rule understands it."""
        operation = node.operation
        tensors, constants = _arguments(args, kwargs)
        if graph.is_model(operation):
            return graph.run(operation, tensors, self.call)
        self._require_own_name(operation)

        inputs = [tensor.ids for tensor in tensors]
        ids = self._outputs(node, inputs, constants)
        if ids is None or not _has_width(ids, node.outputs):
            self._keep_all(operation, inputs)
            return [fixed_channels(tensor) for tensor in node.outputs]
        return [TensorChannels(ids)] * len(node.outputs)

    def _require_own_name(self, operation: Any) -> None:
        first = self._by_name.setdefault(operation.name, operation)
        if first is not operation:
            raise UsageError(
                f"two layers of model '{self._model_name}' are named '{operation.name}': "
                "give each a name of its own"
            )

    def _outputs(self, node: Any, inputs: list[IntArray], constants: list[Any]) -> IntArray | None:
        """The channels of every output of a call, or None where it is not understood."""
        operation = node.operation
        ranks = [len(tensor.shape) for tensor in (*node.input_tensors, *node.outputs)]
        data_format = getattr(operation, "data_format", "channels_last")
        if min(ranks) < 2 or data_format != "channels_last":
            return None
        call = LayerCall(
            operation=operation,
            inputs=inputs,
            constants=constants,
            input_rank=len(node.input_tensors[0].shape),
            output_rank=len(node.outputs[0].shape),
            width=node.outputs[0].shape[-1],
            numbers=self.numbers,
        )
        kind = layer_kind(operation)
        if isinstance(kind, KernelKind):
            return self._kernel_outputs(kind, call)
        ids = kind.channels(call)
        if ids is not None and isinstance(operation, keras.Layer):
            self._record_channels(operation, ids, kind.has_channel_setting)
        return ids

    def _record_channels(self, layer: keras.Layer, ids: IntArray, has_setting: bool) -> None:
        """Keep the channels of a layer that has a number per channel, or names their count."""
        if layer.weights or has_setting:
            before = self.channels.get(layer.name, ids)
            self.channels[layer.name] = self.numbers.merged([before, ids])

    def _kernel_outputs(self, kind: KernelKind, call: LayerCall) -> IntArray | None:
        """The outputs of a layer with kernels.

        At each further call they are the same as at its first, from the same inputs.
        """
        layer = call.operation
        if not kind.is_called_plainly(layer, len(call.inputs)):
            return None
        features, *states = call.inputs
        if layer.name not in self._first_calls:
            self._first_calls[layer.name] = features, self._units(kind, layer, features)
        read, made = self._first_calls[layer.name]
        self.numbers.join(read, features)
        for state in states:
            self.numbers.join(made, state)
        return made

    def _units(self, kind: KernelKind, layer: Any, read: IntArray) -> IntArray:
        """The units that a layer makes, with the channels of its kernels recorded."""
        made = kind.units(layer, read, self.numbers)
        for name, channels in kind.kernel_channels(read, made).items():
            key = f"{layer.name}/{name}"
            self.inputs[key] = channels.inputs
            self.outputs[key] = channels.outputs
            self.layouts[key] = kind.layout
            self.shapes[key] = tuple(kernels(layer)[name].shape)
            if kind.is_fixed:
                self.passing.add(key)
        if not kind.keeps_units_apart(layer):
            self.numbers.fix(made)
        return made

    def _keep_all(self, operation: Any, inputs: list[IntArray]) -> None:
        """Let everything stay that is called in a way that is not understood."""
        for ids in inputs:
            self.numbers.fix(ids)
        kind = kernel_kind(operation)
        if kind is None:
            return
        if operation.name not in self._first_calls:
            width = kernels(operation)["kernel"].shape[kind.input_axis]
            read = np.full(width, STAYS)
            self._first_calls[operation.name] = read, self._units(kind, operation, read)
        for ids in self._first_calls[operation.name]:
            self.numbers.fix(ids)


def _arguments(args: tuple, kwargs: dict[str, Any]) -> tuple[list[TensorChannels], list[Any]]:
    """The stand-ins for tensors among the arguments of a call, and the constants."""
    tensors: list[TensorChannels] = []
    constants: list[Any] = []
    for leaf in keras.tree.flatten((args, kwargs)):
        if isinstance(leaf, TensorChannels):
            tensors.append(leaf)
        else:
            constants.append(leaf)
    return tensors, constants


def _has_width(ids: IntArray, tensors: list[keras.KerasTensor]) -> bool:
    return all(len(ids) == tensor.shape[-1] for tensor in tensors)
