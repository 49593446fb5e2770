import keras
import numpy as np
import pytest

from tinyprune.compress.fold import fold
from tinyprune.compress.kinds.base import kernels
from tinyprune.compress.kinds.cell_lstm import CellLSTM
from tinyprune.compress.recurrent_forms import (
    LSTMForm,
    form_of,
    input_limits,
    with_form,
    with_forms,
)
from tinyprune.errors import UsageError
from tinyprune.models.tinylstm import build


def test_the_form_of_every_lstm_changes_and_nothing_that_is_computed():
    model = build((None, 5), 4, units=6, hidden=3)
    explicit = with_form(model, LSTMForm("explicit"))
    kinds = [type(layer) for layer in explicit.layers if isinstance(layer, keras.layers.LSTM)]
    assert kinds == [CellLSTM, CellLSTM]
    given = np.random.default_rng(0).normal(size=(2, 7, 5)).astype(np.float32)
    np.testing.assert_array_equal(explicit(given), model(given))
    fused = with_form(explicit, LSTMForm("fused"))
    assert [type(layer) for layer in fused.layers] == [type(layer) for layer in model.layers]
    assert with_form(fused, LSTMForm("fused")) is fused


def test_a_form_of_one_product_has_its_limit_and_goes_back_to_any_other(tmp_path):
    model = build((None, 5), 4, units=6, hidden=3)
    first, second = (layer.name for layer in model.layers if isinstance(layer, keras.layers.LSTM))
    forms = {first: LSTMForm("merged", 3.5), second: LSTMForm("merged", 1.0)}
    merged = with_forms(model, forms)
    assert {name: form_of(merged.get_layer(name)) for name in forms} == forms
    assert with_forms(merged, forms) is merged
    merged.save(tmp_path / "merged.keras")
    loaded = keras.models.load_model(tmp_path / "merged.keras")
    assert {name: form_of(loaded.get_layer(name)) for name in forms} == forms
    for name in ("explicit", "fused"):
        other = with_form(loaded, LSTMForm(name))
        assert {form_of(other.get_layer(layer)) for layer in forms} == {LSTMForm(name)}
        given = np.random.default_rng(0).normal(size=(2, 7, 5)).astype(np.float32)
        np.testing.assert_array_equal(other(given), model(given))


def test_the_limit_of_inputs_is_that_of_the_call_in_the_model():
    features = keras.Input((None, 5))
    lstm = keras.layers.LSTM(6, return_sequences=True, name="shared")
    model = keras.Model(features, keras.layers.Dense(4)(lstm(features)))
    lstm(keras.layers.Dense(5)(features))  # in no model
    assert input_limits(model, lambda: np.ones((3, 5), np.float32)) == {"shared": 1.0}


def test_the_limit_of_inputs_is_known_of_the_network_and_of_recurrent_layers():
    features = keras.Input((None, 5))
    hidden = keras.layers.LSTM(6, return_sequences=True, name="of_input")(features)
    hidden = keras.layers.LSTM(6, return_sequences=True, name="of_lstm")(hidden)
    hidden = keras.layers.Dense(6)(hidden)
    hidden = keras.layers.GRU(6, return_sequences=True)(hidden)
    hidden = keras.layers.LSTM(6, return_sequences=True, name="of_gru")(hidden)
    hidden = keras.layers.LSTM(6, return_sequences=True, name="of_dense")(
        keras.layers.Dense(6)(hidden)
    )
    model = keras.Model(features, hidden)
    for layer in model.layers:
        if isinstance(layer, keras.layers.LSTM):
            for kernel in kernels(layer).values():
                kernel.assign(np.full(kernel.shape, 0.5))
    calibration = np.zeros((20, 5), np.float32)
    calibration[3, 2] = -3.0
    assert input_limits(model, lambda: calibration) == {
        "of_input": 3.0,
        "of_lstm": 1.0,
        "of_gru": 1.0,
    }
    kernels(model.get_layer("of_lstm"))["kernel"].assign(np.full((6, 24), 4.1))  # 8.2 times 0.5
    kernels(model.get_layer("of_gru"))["kernel"].assign(np.full((6, 24), 0.06))  # 8.3 in 0.5
    # 3 * 0.5 are three times 0.5.
    assert input_limits(model, lambda: calibration) == {"of_input": 3.0}
    assert input_limits(model, lambda: 0 * calibration) == {}


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
        with_form(folded, LSTMForm("fused"))
    with_form(folded, LSTMForm("explicit"))
