"""The form in which LSTM layers are learned in int8 and exported: fused, or a cell of operators."""

import keras

from tinyprune.compress.kinds.cell_lstm import CellLSTM
from tinyprune.config.pruning import CELLS

_FUSED, _EXPLICIT = CELLS
_LAYERS: dict[str, type[keras.layers.LSTM]] = {_FUSED: keras.layers.LSTM, _EXPLICIT: CellLSTM}


def with_form(model: keras.Model, form: str) -> keras.Model:
    """Return a model in canonical form whose LSTM layers have a form, with the same weights.

    A model that has none of another form is returned as it is.
    """
    wanted = _LAYERS[form]
    if all(type(layer) is wanted for layer in model.layers if _is_lstm(layer)):
        return model

    def in_form(layer: keras.Layer) -> keras.Layer:
        layer_class = wanted if _is_lstm(layer) else type(layer)
        return layer_class.from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=in_form)
    copy.set_weights(model.get_weights())
    return copy


def _is_lstm(layer: keras.Layer) -> bool:
    return type(layer) in _LAYERS.values()
