"""The layers that the TFLite converter is given in place of those that it cannot convert."""

from typing import Any

import keras

from tinyprune.compress import graph
from tinyprune.compress.kinds.lookup import kernel_kind, layer_kind


def with_export_layers(model: keras.Model) -> keras.Model:
    """Return a copy of a plain model with the layers that the converter needs, same weights.

    LSTM layers are fused operators (fused_lstm.py). Layers that act while learning only are gone.
    """

    def exported(layer: keras.Layer) -> keras.Layer:
        kind = kernel_kind(layer)
        layer_class = type(layer) if kind is None else kind.exported(layer)
        return layer_class.from_config(layer.get_config())

    acting = _without_training_only(model)
    copy = keras.models.clone_model(acting, clone_function=exported)
    copy.set_weights(acting.get_weights())
    return copy


def _without_training_only(model: keras.Model) -> keras.Model:
    """A model of the same layers, called without those that act while learning only."""

    def call(node: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        operation = node.operation
        if layer_kind(operation).is_training_only:
            return args[0]
        return operation(*args, **kwargs)

    return graph.rebuild(model, call)
