"""Where activations get an int8 grid: on every tensor that TFLite quantizes on its own."""

from collections import Counter
from typing import Any

import keras

from tinyprune.compress import graph
from tinyprune.compress.fake_quant import FakeQuantize
from tinyprune.compress.fold import activation
from tinyprune.compress.layer_kinds import kind
from tinyprune.compress.layers import POSITIVE, PRESCRIBED, activation_name

#: Layers and operations whose output has the scale of their input: nothing is computed, or TFLite
#: says so (pooling).
SAME_SCALE = {
    *(
        "Flatten",
        "Reshape",
        "Permute",
        "RepeatVector",
        "Identity",
        "Masking",
        "ActivityRegularization",
    ),
    *(
        "Dropout",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "GaussianNoise",
        "GaussianDropout",
        "AlphaDropout",
    ),
    *("ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D", "UpSampling1D", "UpSampling2D"),
    *("MaxPooling1D", "MaxPooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D"),
    *("AveragePooling1D", "AveragePooling2D"),
    *("GetItem", "Squeeze", "ExpandDims", "Transpose", "Pad", "Split", "Tile", "Repeat"),
}
#: What else is known to become int8 TFLite, with a grid behind it.
_FAMILIAR = {
    *("InputLayer", "Add", "Subtract", "Multiply", "Maximum", "Minimum", "Average", "Concatenate"),
    *("ReLU", "LeakyReLU", "Activation", "Softmax", "Relu", "Relu6", "Sigmoid", "Tanh"),
    *("GlobalAveragePooling1D", "GlobalAveragePooling2D", "BatchNormalization"),
}
_FAMILIAR_ACTIVATIONS = {
    *("linear", "relu", "relu6", "leaky_relu", "sigmoid", "tanh", "softmax"),
    *("gelu", "silu", "hard_silu", "hard_sigmoid"),
}
_TAKE_IN_RELU = {"Add", "Subtract", "Multiply"}  # TFLite fuses a ReLU into them: no grid in between


class Grids:
    """Puts activation quantizers behind what is no compressed layer, while a model is built again.

    A compressed layer has its own. Each input gets one, whatever number of layers reads it.
    """

    def __init__(self, uses: graph.Uses) -> None:
        self._uses = uses
        self._inputs: dict[str, Any] = {}
        self._calls: Counter[str] = Counter()

    def of_input(self, value: Any) -> Any:
        """A value, on its grid if it is an input of the model."""
        history = getattr(value, "_keras_history", None)
        if (
            history is None
            or not isinstance(history.operation, keras.layers.InputLayer)
            or not _is_float(value)
        ):
            return value
        if value.name not in self._inputs:
            self._inputs[value.name] = FakeQuantize(name=f"{value.name}_grid")(value)
        return self._inputs[value.name]

    def of_output(self, node: Any, outputs: Any) -> Any:
        """What a node computed, on its grid if it has one of its own."""
        operation = node.operation
        type_name = type(operation).__name__
        if type_name in SAME_SCALE or not _is_float(outputs):
            return outputs
        reader = self._uses.only_reader(node) if type_name in _TAKE_IN_RELU else None
        if reader is not None and activation(reader.operation) in POSITIVE:
            return outputs
        name = activation(operation)
        fixed, positive = PRESCRIBED.get(name or ""), name in POSITIVE
        self._calls[operation.name] += 1
        again = self._calls[
            operation.name
        ]  # each call of a layer has a tensor, and so a grid, of its own
        grid = f"{operation.name}_grid" + (f"_{again}" if again > 1 else "")
        return FakeQuantize(fixed=fixed, positive=positive, name=grid)(outputs)


def _is_float(value: Any) -> bool:
    """Whether a value is one tensor of floats; several, truth values and indices have no grid."""
    return (
        isinstance(value, keras.KerasTensor) and value.dtype == "float32"
    )  # Keras calls `x * 2` sparse: do not ask


def unfamiliar(model: keras.Model) -> list[str]:
    """Layers and operations of a canonical model of which only a conversion can say whether they become int8 TFLite."""
    operations = {id(node.operation): node.operation for node in graph.nodes(model)}.values()
    return [
        f"{type(layer).__name__} '{layer.name}'{why}" for layer in operations for why in _odd(layer)
    ]


def _odd(operation: Any) -> list[str]:
    """What is not known of a layer or operation: nothing, its activation function, or all of it."""
    name, function = type(operation).__name__, getattr(operation, "activation", None)
    if name not in SAME_SCALE | _FAMILIAR and kind(operation) is None:
        return [""]
    if function is None or activation_name(function) in _FAMILIAR_ACTIVATIONS:
        return []
    return [f" with activation {activation_name(function) or type(function).__name__}"]
