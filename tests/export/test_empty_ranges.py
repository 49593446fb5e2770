"""A layer whose units are all dead: the file runs, and what reads the layer keeps its biases."""

import keras
import numpy as np
import pytest

from tinyprune.export.tflite import convert
from tinyprune.tflite.flatbuffer import read
from tinyprune.tflite.interpreter import Int8Model

L = keras.layers
BIASES = np.array([-2, 0.5, 3], np.float32)
CALIBRATION = np.random.default_rng(0).normal(size=(64, 4, 4, 3)).astype(np.float32)


def dead_network() -> keras.Model:
    """A ReLU whose arguments are all below -90, between two convolutions."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4, 4, 3))
    x = L.Conv2D(8, 3, name="first")(inputs)
    x = L.Conv2D(
        4, 1, activation="relu", bias_initializer=keras.initializers.Constant(-100), name="dead"
    )(x)
    x = L.Conv2D(3, 1, name="after")(x)
    model = keras.Model(inputs, L.Flatten()(x))
    after = model.get_layer("after")
    after.set_weights([after.get_weights()[0], BIASES])
    return model


def test_a_file_with_a_dead_layer_runs_and_the_layer_is_named(tmp_path, caplog):
    path = tmp_path / "dead.tflite"
    path.write_bytes(convert(dead_network(), None, CALIBRATION))
    assert [record.getMessage() for record in caplog.records] == [
        "dead: 0 for every calibration input"
    ]
    outputs = Int8Model(path).run(CALIBRATION[:1])
    # All that reaches the outputs are biases, at each of 2 x 2 positions.
    np.testing.assert_allclose(outputs.reshape(-1, 3), np.tile(BIASES, (4, 1)), atol=5 / 255)
    assert min(float(op.outputs[0].scale[0]) for op in read(path).operators) > 1e-3


@pytest.mark.parametrize("value", [0, 1e-9])
def test_a_network_of_zeros_alone_can_be_run(value, tmp_path):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, L.Dense(2, activation="relu")(L.Dense(3)(inputs)))
    path = tmp_path / "zeros.tflite"
    path.write_bytes(convert(model, None, np.full((8, 4), value, np.float32)))
    np.testing.assert_array_equal(Int8Model(path).run(np.zeros((1, 4), np.float32)), [0, 0])
