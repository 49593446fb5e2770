"""What computes an int8 graph that is scored."""

import keras
import numpy as np
import pytest

from tinyprune.export.tflite import convert
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.engines import LITERT, TFLM, Tflm, has_tflm
from tinyprune.tflite.forward import engine_of, of_int8, of_runner
from tinyprune.tflite.interpreter import Int8Model

FEATURES = np.random.default_rng(0).standard_normal((2, 20, 8), np.float32)
needs_tflm = pytest.mark.skipif(not has_tflm(), reason="TFLM is not installed")


def graph(layer: keras.Layer, folder):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, 8))
    path = folder / "graph.tflite"
    path.write_bytes(convert(keras.Model(inputs, layer(inputs)), 1, FEATURES.reshape(-1, 8)))
    return path


@needs_tflm
def test_tflm_computes_a_fused_lstm(tmp_path):
    path = graph(keras.layers.LSTM(6, return_sequences=True), tmp_path)
    forward = of_int8(path)
    assert engine_of(forward) == TFLM
    runner = Int8Model(path, engine=Tflm(flatbuffer.load(path)))
    np.testing.assert_array_equal(forward(FEATURES), [runner.run(item) for item in FEATURES])


def test_litert_computes_what_it_computes_as_a_device_does(tmp_path):
    path = graph(keras.layers.Dense(4), tmp_path)
    forward = of_int8(path)
    assert engine_of(forward) == LITERT
    np.testing.assert_array_equal(forward(FEATURES), of_runner(Int8Model(path))(FEATURES))


def test_a_network_in_float_has_no_engine():
    assert engine_of(lambda inputs: inputs) == ""
