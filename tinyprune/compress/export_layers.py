"""The layers that the TFLite converter is given in place of those that it cannot convert."""

import keras

from tinyprune.compress.kinds.lookup import kernel_kind


def with_export_layers(model: keras.Model) -> keras.Model:
    """Return a copy of a plain model with the layers that the converter needs, same weights.

    LSTM layers are fused operators (fused_lstm.py).
    """

    def exported(layer: keras.Layer) -> keras.Layer:
        kind = kernel_kind(layer)
        layer_class = type(layer) if kind is None else kind.exported(layer)
        return layer_class.from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=exported)
    copy.set_weights(model.get_weights())
    return copy
