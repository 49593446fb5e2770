"""Activation functions: their names, their int8 grids, and those that TFLite fuses."""

from typing import Any

import keras

# Ranges that TFLite prescribes: 256 steps of 1/256, of 1/16, and of 1/128.
PRESCRIBED = {
    "sigmoid": (0.0, 255 / 256),
    "softmax": (0.0, 255 / 256),
    "log_softmax": (-255 / 16, 0.0),
    "tanh": (-1.0, 127 / 128),
}
#: Functions that TFLite makes part of the operator before.
FUSED = ("linear", "relu", "relu6")
#: Fused functions whose values are never negative.
POSITIVE = ("relu", "relu6")
#: Functions that are known to become int8 TFLite.
FAMILIAR = {
    "linear",
    "relu",
    "relu6",
    "leaky_relu",
    "sigmoid",
    "tanh",
    "softmax",
    "log_softmax",
    "elu",
    "exponential",
    "gelu",
    "silu",
    "hard_silu",
    "hard_sigmoid",
}
#: Functions that cannot become int8 TFLite -> one that can and is near.
NEAREST = {
    "squareplus": "softplus",
    "sparse_plus": "softplus",
    "sparse_sigmoid": "hard_sigmoid",
    "hard_shrink": "soft_shrink",
    "threshold": "relu",
    "sparsemax": "softmax",
}
_NOT_BY_ELEMENT = ("softmax", "log_softmax", "sparsemax", "glu", "get", "serialize", "deserialize")
_BY_ELEMENT = [
    function for name, function in vars(keras.activations).items() if name not in _NOT_BY_ELEMENT
]


def activation_name(function: Any) -> str:
    """Return Keras' name of an activation function; an empty text for a layer or a user's own."""
    name = keras.activations.serialize(function)
    return name if isinstance(name, str) else ""


def is_by_element(function: Any) -> bool:
    """Return whether a function is known to treat every element alone."""
    return function in _BY_ELEMENT
