"""The form in which LSTM layers are learned in int8 and exported: fused, or a cell of operators.

The fused operator has a sigmoid and a tanh, so a layer with hard functions always is a cell.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from tinyprune.compress import graph
from tinyprune.compress.gate_functions import gate_functions
from tinyprune.compress.kinds.base import kernels
from tinyprune.compress.kinds.cell_lstm import CellLSTM
from tinyprune.config.pruning import EXPLICIT, FUSED, MERGED
from tinyprune.errors import UsageError
from tinyprune.named_arrays import has_names

#: So that a kernel keeps at least 5 of its 8 bits.
MOST_COARSER = 8.0
_LIMIT = "input_limit"
_NOTHING = 1e-30


@dataclass(frozen=True)
class LSTMForm:
    """The form of an LSTM layer.

    Attributes:
        name: "fused", "explicit" or "merged".
        input_limit: of a merged one, the largest magnitude of its inputs.
    """

    name: str
    input_limit: float | None = None


def lstm_layers(model: keras.Model) -> list[keras.layers.LSTM]:
    """Return the LSTM layers of a model in canonical form, of any form."""
    return [layer for layer in model.layers if type(layer) in (keras.layers.LSTM, CellLSTM)]


def explicit_form(input_limit: float | None) -> LSTMForm:
    """Return the form that is not fused: with one product where a limit is known."""
    return LSTMForm(EXPLICIT if input_limit is None else MERGED, input_limit)


def form_of(layer: Any) -> LSTMForm:
    """Return the form of an LSTM layer."""
    if isinstance(layer, CellLSTM):
        return explicit_form(layer.input_limit)
    return LSTMForm(FUSED)


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


def input_limits(model: keras.Model, calibration: Callable[[], np.ndarray]) -> dict[str, float]:
    """Return LSTM layers that can read inputs and state by one product -> limit of their inputs.

    Such a product has one grid for all that it reads, and one for its weights. So the limit has to
    be known, and to stay: that of another recurrent layer is 1, that of the network's input is in
    the calibration. What other layers make moves while they learn.

    One of both kernels may have to take steps that are coarser than its own. Beyond
    :data:`MOST_COARSER` times as coarse the layer is left out.

    Args:
        model: in canonical form.
        calibration: gives inputs (n, ...) of real data; asked where they are read.
    """
    makers = {}
    for node in graph.nodes(model):
        makers[node.operation.name] = [made._keras_history.operation for made in node.input_tensors]
    limits = {}
    for layer in lstm_layers(model):
        maker, *_ = makers[layer.name]
        limit = _limit(maker, calibration)
        if _coarser(layer, limit) <= MOST_COARSER:
            limits[layer.name] = limit
    return limits


def _limit(maker: Any, calibration: Callable[[], np.ndarray]) -> float:
    """Return the largest magnitude of what a layer makes; infinite where it is not known."""
    if isinstance(maker, keras.layers.LSTM | keras.layers.GRU):
        return 1.0
    if not isinstance(maker, keras.layers.InputLayer):
        return np.inf
    inputs = calibration()
    return np.inf if has_names(inputs) else _largest(inputs)


def _coarser(layer: Any, limit: float) -> float:
    """Return how many times coarser a step of one of both kernels becomes by sharing it."""
    own = kernels(layer)
    of_inputs = limit * _largest(own["kernel"].numpy())
    of_state = _largest(own["recurrent_kernel"].numpy())
    return max(of_inputs, of_state) / min(of_inputs, of_state)


def _largest(values: np.ndarray) -> float:
    """Return the largest magnitude of values, a tiny one where all are zeros."""
    return max(float(np.abs(values).max()), _NOTHING)


def exportable(layer: keras.Layer) -> keras.Layer:
    """Return a layer without weights in a form that it can be exported in: mostly itself."""
    if type(layer) is not keras.layers.LSTM or can_be_fused(layer):
        return layer
    return CellLSTM.from_config(layer.get_config())


def with_form(model: keras.Model, form: LSTMForm) -> keras.Model:
    """Return a model in canonical form whose LSTM layers have a form, with the same weights.

    A model that has none of another form is returned as it is.
    """
    return with_forms(model, {layer.name: form for layer in lstm_layers(model)})


def with_forms(model: keras.Model, forms: Mapping[str, LSTMForm]) -> keras.Model:
    """Return a model in canonical form whose LSTM layers have forms, with the same weights.

    Args:
        model: the model; it is returned as it is where nothing changes.
        forms: LSTM layer -> its form; others stay as they are.

    Raises UsageError for a layer that cannot be fused.
    """
    wanted = {}
    for layer in lstm_layers(model):
        form = forms.get(layer.name, form_of(layer))
        if form.name == FUSED:
            require_fusible(layer)
        if form != form_of(layer):
            wanted[layer.name] = form
    if not wanted:
        return model

    def in_form(layer: Any) -> keras.Layer:
        return _in_form(layer, wanted.get(layer.name))

    copy = keras.models.clone_model(model, clone_function=in_form)
    copy.set_weights(model.get_weights())
    return copy


def _in_form(layer: Any, form: LSTMForm | None) -> keras.Layer:
    """Return a layer without weights, an LSTM in a form if one is given."""
    config = layer.get_config()
    if form is None:
        return type(layer).from_config(config)
    config.pop(_LIMIT, None)
    if form.name == FUSED:
        return keras.layers.LSTM.from_config(config)
    return CellLSTM.from_config({**config, _LIMIT: form.input_limit})
