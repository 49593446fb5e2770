import keras
import numpy as np

from tinyprune.compress.kinds.cell_lstm import CellLSTM
from tinyprune.compress.recurrent_forms import with_form
from tinyprune.models.tinylstm import build


def test_the_form_of_every_lstm_changes_and_nothing_that_is_computed():
    model = build((None, 5), 4, units=6, hidden=3)
    explicit = with_form(model, "explicit")
    kinds = [type(layer) for layer in explicit.layers if isinstance(layer, keras.layers.LSTM)]
    assert kinds == [CellLSTM, CellLSTM]
    given = np.random.default_rng(0).normal(size=(2, 7, 5)).astype(np.float32)
    np.testing.assert_array_equal(explicit(given), model(given))
    fused = with_form(explicit, "fused")
    assert [type(layer) for layer in fused.layers] == [type(layer) for layer in model.layers]
    assert with_form(fused, "fused") is fused
