"""The form in which LSTM layers are learned in int8 and exported: fused, or a cell of operators.

The fused operator has a sigmoid and a tanh, so a layer with hard functions always is a cell.
"""

from collections.abc import Mapping

import keras

from tinyprune.compress.gate_functions import gate_functions
from tinyprune.compress.kinds.cell_lstm import CellLSTM
from tinyprune.config.pruning import EXPLICIT, FUSED
from tinyprune.errors import UsageError

_LAYERS: dict[str, type[keras.layers.LSTM]] = {FUSED: keras.layers.LSTM, EXPLICIT: CellLSTM}


def lstm_layers(model: keras.Model) -> list[keras.layers.LSTM]:
    """Return the LSTM layers of a model in canonical form, of either form."""
    return [layer for layer in model.layers if type(layer) in _LAYERS.values()]


def form_of(layer: keras.layers.LSTM) -> str:
    """Return the form of an LSTM layer."""
    [form] = [name for name, of_form in _LAYERS.items() if type(layer) is of_form]
    return form


def can_be_fused(layer: keras.layers.LSTM) -> bool:
    """Return whether the fused operator computes what a layer does."""
    return gate_functions(layer).are_soft


def require_fusible(layer: keras.layers.LSTM) -> None:
    """Raise UsageError for a layer that the fused operator does not compute."""
    if not can_be_fused(layer):
        raise UsageError(
            f"layer '{layer.name}' has hard gates, and the fused LSTM of TFLite only sigmoid and "
            "tanh: take the explicit cell, --cell auto or --cell explicit"
        )


def exportable(layer: keras.Layer) -> keras.Layer:
    """Return a layer without weights in a form that it can be exported in: mostly itself."""
    if type(layer) is not keras.layers.LSTM or can_be_fused(layer):
        return layer
    return CellLSTM.from_config(layer.get_config())


def with_form(model: keras.Model, form: str) -> keras.Model:
    """Return a model in canonical form whose LSTM layers have a form, with the same weights.

    A model that has none of another form is returned as it is.
    """
    return with_forms(model, {layer.name: form for layer in lstm_layers(model)})


def with_forms(model: keras.Model, forms: Mapping[str, str]) -> keras.Model:
    """Return a model in canonical form whose LSTM layers have forms, with the same weights.

    Args:
        model: the model; it is returned as it is where nothing changes.
        forms: LSTM layer -> its form; others stay as they are.

    Raises UsageError for a layer that cannot be fused.
    """
    wanted = {}
    for layer in lstm_layers(model):
        form = forms.get(layer.name, form_of(layer))
        if form == FUSED:
            require_fusible(layer)
        if form != form_of(layer):
            wanted[layer.name] = _LAYERS[form]
    if not wanted:
        return model

    def in_form(layer: keras.Layer) -> keras.Layer:
        layer_class = wanted.get(layer.name, type(layer))
        return layer_class.from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=in_form)
    copy.set_weights(model.get_weights())
    return copy
