import keras
import numpy as np
import pytest

from tinyprune.compress.cut import cut
from tinyprune.errors import UsageError

L = keras.layers


def gru(units: int, name: str):
    return L.GRU(units, return_sequences=True, name=name)


def cut_of(model: keras.Model, names: set[str]):
    return cut(model, names, [(1, 5, 3)], ["features"], ["output"])


def test_what_layers_make_becomes_inputs_and_what_they_read_outputs():
    inputs = keras.Input((None, 3))
    x = gru(6, "two")(gru(4, "one")(L.Dense(7, name="first")(inputs)))
    model = keras.Model(inputs, L.Dense(2)(x))
    parts = cut_of(model, {"one", "two"})
    assert [(item.reads, item.makes) for item in parts.layers] == [
        ("one_input", "one_output"),
        ("one_output", "two_output"),  # nothing lies between the layers
    ]
    assert set(parts.rest_inputs) == {"features", "two_output"}
    assert set(parts.rest_outputs) == {"one_input", "output"}
    assert parts.shapes == {"features": (1, 5, 3), "one_output": (1, 5, 4), "two_output": (1, 5, 6)}


def test_the_rest_and_the_layers_compute_what_the_network_does():
    inputs = keras.Input((5, 3))
    model = keras.Model(inputs, L.Dense(2)(gru(4, "one")(L.Dense(7)(inputs))))
    parts = cut_of(model, {"one"})
    given = np.random.default_rng(0).normal(size=(1, 5, 3)).astype(np.float32)

    def rest(made: np.ndarray) -> dict[str, np.ndarray]:
        values = {"features": given, "one_output": made}
        found = parts.rest([values[name] for name in parts.rest_inputs])
        return dict(zip(parts.rest_outputs, found, strict=True))

    read = rest(np.zeros((1, 5, 4), np.float32))["one_input"]
    [layer] = [item.layer for item in parts.layers]
    np.testing.assert_allclose(rest(layer(read).numpy())["output"], model(given), atol=1e-6)


def test_of_layers_alone_nothing_is_left():
    inputs = keras.Input((None, 3))
    parts = cut_of(keras.Model(inputs, gru(4, "one")(inputs)), {"one"})
    assert parts.rest is None
    assert (parts.inputs, parts.outputs) == ({"features": "features"}, {"output": "one_output"})


def test_a_layer_that_is_called_twice_is_refused_in_one_line():
    inputs, shared = keras.Input((None, 3)), gru(3, "twice")
    model = keras.Model(inputs, shared(shared(inputs)))
    with pytest.raises(UsageError, match="^layer 'twice' is called more than once: "):
        cut_of(model, {"twice"})
