"""A Keras 3 model as a Keras 2 model: the same layers, names and weights.

Runs where ``tf_keras`` is ``tf.keras``.
"""

from typing import Any

import keras
import tf_keras

from tinyprune.compress import graph

#: Layer -> the entries of its configuration that Keras 2 gets; initial weights are replaced anyway.
SETTINGS = {
    "Conv2D": ("filters", "kernel_size", "strides", "padding", "activation", "use_bias"),
    "DepthwiseConv2D": (
        "kernel_size",
        "strides",
        "padding",
        "activation",
        "use_bias",
        "depth_multiplier",
    ),
    "LSTM": ("units", "return_sequences"),
    "Dense": ("units", "activation", "use_bias"),
    "BatchNormalization": ("axis", "momentum", "epsilon", "center", "scale"),
    "ReLU": ("max_value", "negative_slope", "threshold"),
    "Dropout": ("rate",),
    "AveragePooling2D": ("pool_size", "strides", "padding"),
    "GlobalAveragePooling2D": (),
    "Flatten": (),
    "Add": (),
}


def keras2_model(model: keras.Model) -> Any:
    """Return the Keras 2 model that computes the same.

    Raises KeyError for a layer that is not in :data:`SETTINGS`.
    """
    pairs: dict[str, tuple[Any, Any]] = {}

    def call(node: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        layer = node.operation
        kind = type(layer).__name__
        config = layer.get_config()
        settings = {name: config[name] for name in SETTINGS[kind]}
        copy = getattr(tf_keras.layers, kind)(name=layer.name, **settings)
        pairs[layer.name] = layer, copy
        return copy(args[0])

    inputs = [tf_keras.Input(tuple(x.shape[1:]), name=x.name) for x in model.inputs]
    made = tf_keras.Model(inputs, graph.run(model, inputs, call), name=model.name)
    for layer, copy in pairs.values():
        copy.set_weights([variable.numpy() for variable in layer.weights])
    return made
