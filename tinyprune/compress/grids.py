"""Int8 grids of activations: one on every tensor that TFLite quantizes on its own."""

from collections import Counter
from typing import Any

import keras

from tinyprune.compress import graph
from tinyprune.compress.activations import (
    FAMILIAR,
    NEAREST,
    POSITIVE,
    PRESCRIBED,
    activation_name,
)
from tinyprune.compress.fake_quant import FakeQuantize
from tinyprune.compress.kinds.base import Grid
from tinyprune.compress.kinds.lookup import activation, layer_kind

#: Layers that cannot become int8 TFLite -> what can, and does the same or nearly so.
_NEAREST_LAYERS = {
    "Embedding": "one-hot inputs and Dense(..., use_bias=False), which has the same table,",
    "UnitNormalization": "RMSNormalization",
}


class Grids:
    """Puts activation quantizers behind what is no compressed layer, while a model is built again.

    A compressed layer has its own. Each input gets one, whatever number of layers reads it.
    """

    def __init__(self, uses: graph.Uses) -> None:
        self._uses = uses
        self._inputs: dict[str, Any] = {}
        self._calls: Counter[str] = Counter()

    def of_input(self, value: Any) -> Any:
        """Return a value, on its grid if it is an input of the model."""
        history = getattr(value, "_keras_history", None)
        is_input = history is not None and isinstance(history.operation, keras.layers.InputLayer)
        if not is_input or not _is_float(value):
            return value
        if value.name not in self._inputs:
            self._inputs[value.name] = FakeQuantize(name=f"{value.name}_grid")(value)
        return self._inputs[value.name]

    def of_output(self, node: Any, outputs: Any) -> Any:
        """Return the outputs of a node, on their grid if they have one of their own."""
        operation = node.operation
        kind = layer_kind(operation)
        if kind.grid is Grid.OF_INPUT or not _is_float(outputs):
            return outputs
        if kind.takes_in_relu and self._is_before_relu(node):
            return outputs
        function = activation(operation) or ""
        quantizer = FakeQuantize(
            fixed=PRESCRIBED.get(function),
            positive=function in POSITIVE,
            name=self._name(operation),
        )
        return quantizer(outputs)

    def _is_before_relu(self, node: Any) -> bool:
        reader = self._uses.only_reader(node)
        return reader is not None and activation(reader.operation) in POSITIVE

    def _name(self, operation: Any) -> str:
        """The name of a grid: each call of a layer has a tensor, and so a grid, of its own."""
        self._calls[operation.name] += 1
        call = self._calls[operation.name]
        return f"{operation.name}_grid" if call == 1 else f"{operation.name}_grid_{call}"


def _is_float(value: Any) -> bool:
    """Return whether a value is one tensor of floats; truth values and indices have no grid."""
    # Keras calls `x * 2` sparse: do not ask
    return isinstance(value, keras.KerasTensor) and value.dtype == "float32"


def unfamiliar(model: keras.Model) -> list[str]:
    """Return the layers and operations of a canonical model that only a conversion can tell of.

    Nobody knows before whether they become int8 TFLite.
    """
    operations = {id(node.operation): node.operation for node in graph.nodes(model)}
    names: list[str] = []
    for operation in operations.values():
        name = f"{type(operation).__name__} '{operation.name}'"
        function = getattr(operation, "activation", None)
        is_recurrent = isinstance(operation, keras.layers.RNN)
        if layer_kind(operation).grid is Grid.UNKNOWN:
            names.append(name)
        elif not (is_recurrent or _is_familiar(function)):
            function_name = activation_name(function) or type(function).__name__
            names.append(f"{name} with activation {function_name}")
    return names


def nearest(model: keras.Model) -> list[str]:
    """Return what to take in place of functions and layers that cannot become int8 TFLite."""
    known = {name.replace("_", ""): name for name in NEAREST}
    advice: dict[str, None] = {}
    for node in graph.nodes(model):
        kind = type(node.operation).__name__
        if kind in _NEAREST_LAYERS:
            advice[f"{_NEAREST_LAYERS[kind]} in place of {kind}"] = None
        function = getattr(node.operation, "activation", None)
        name = type(node.operation).__name__ if function is None else activation_name(function)
        missing = known.get(name.lower().replace("_", ""))
        if missing:
            advice[f"{NEAREST[missing]} in place of {missing}"] = None
    return list(advice)


def singular_operations(model: keras.Model) -> list[str]:
    """Return the operations that are infinite, or have infinite gradients, at arguments of 0."""
    names: dict[str, None] = {}
    for node in graph.nodes(model):
        operation = node.operation
        if layer_kind(operation).is_singular:
            names[f"{type(operation).__name__} '{operation.name}'"] = None
    return list(names)


def _is_familiar(function: Any) -> bool:
    return function is None or activation_name(function) in FAMILIAR
