"""The levels of causal scores, which an int8 graph has as constants (kinds/attention.py)."""

import keras

from tinyprune.array_types import Float32Array
from tinyprune.compress.kinds.attention import HeadAttention
from tinyprune.compress.prepare import batches, calibrate, prepare


def with_levels(model: keras.Model, calibration: Float32Array) -> keras.Model:
    """Return a plain canonical model whose causal scores are raised by what is measured.

    Without causal attention it is the model. ``calibration``: as the converter gets it.
    """
    if not any(map(_is_causal, model.layers)):
        return model
    measured = prepare(model, masked=False)
    calibrate(measured, batches(calibration, measured))

    def with_its_levels(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if _is_causal(layer):
            config["levels"] = measured.get_layer(layer.name).measured_levels()
        return type(layer).from_config(config)

    raised = keras.models.clone_model(model, clone_function=with_its_levels)
    raised.set_weights(model.get_weights())
    return raised


def _is_causal(layer: keras.Layer) -> bool:
    return isinstance(layer, HeadAttention) and layer.causal
