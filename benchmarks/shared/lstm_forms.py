"""Networks with LSTM layers in one form, for measurements of what the form costs."""

import keras
import numpy as np

from tinyprune.compress.recurrent_forms import LSTMForm, lstm_layers, with_form, with_forms
from tinyprune.config.pruning import MERGED


def in_form(model: keras.Model, form: str, features: np.ndarray) -> keras.Model:
    """Return a canonical model whose LSTM layers have a form.

    ``features``: what the first one reads; each of the others reads another recurrent layer.
    """
    if form != MERGED:
        return with_form(model, LSTMForm(form))
    limits = [float(np.abs(features).max()), *[1.0] * len(model.layers)]
    forms = {}
    for layer, limit in zip(lstm_layers(model), limits, strict=False):
        forms[layer.name] = LSTMForm(MERGED, limit)
    return with_forms(model, forms)
