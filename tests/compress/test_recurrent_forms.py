import keras
import numpy as np
import pytest

from tinyprune.compress.fold import fold
from tinyprune.compress.kinds.cell_lstm import CellLSTM
from tinyprune.compress.recurrent_forms import with_form
from tinyprune.errors import UsageError
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


@pytest.mark.parametrize(
    "functions", [{"activation": "hard_tanh"}, {"recurrent_activation": "hard_sigmoid"}]
)
def test_a_layer_with_a_hard_function_is_a_cell_in_canonical_form(functions):
    features = keras.Input((None, 5))
    hidden = keras.layers.LSTM(6, return_sequences=True, name="hard", **functions)(features)
    hidden = keras.layers.LSTM(4, return_sequences=True, name="soft")(hidden)
    model = keras.Model(features, hidden)
    folded = fold(model)
    assert type(folded.get_layer("hard")) is CellLSTM
    assert type(folded.get_layer("soft")) is keras.layers.LSTM
    given = np.random.default_rng(0).normal(size=(2, 7, 5)).astype(np.float32)
    np.testing.assert_array_equal(folded(given), model(given))
    with pytest.raises(UsageError, match="^layer 'hard' has hard gates, .*--cell auto"):
        with_form(folded, "fused")
    with_form(folded, "explicit")
