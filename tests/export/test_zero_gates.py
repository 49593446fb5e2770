"""An LSTM whose gate has lost all its input weights keeps the bias of that gate."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tests.support.quick import quick
from tinyprune.export.tflite import convert
from tinyprune.export.zero_gates import with_biases
from tinyprune.tflite.flatbuffer import ParsedFile, read
from tinyprune.tflite.graph import Graph
from tinyprune.tflite.interpreter import Int8Model

FEATURES, UNITS = 16, 8
CALIBRATION = np.random.default_rng(0).standard_normal((200, FEATURES), np.float32)


def network(gates: tuple[int, ...]) -> keras.Model:
    """One LSTM with biases from 0.5 to 1.5, which saturate where the scale is that of zeros alone."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, FEATURES))
    model = keras.Model(
        inputs, keras.layers.LSTM(UNITS, return_sequences=True, name="lstm")(inputs)
    )
    kernel, recurrent, bias = model.get_weights()
    kernel.reshape(FEATURES, 4, UNITS)[:, list(gates)] = 0
    model.set_weights([kernel, recurrent, np.linspace(0.5, 1.5, len(bias))])
    return model


@pytest.mark.parametrize("frames", quick({"1": 1, "20": 20}, "1"))
@pytest.mark.parametrize("gates", [(1,), (1, 3)])
def test_int8_follows_float(gates, frames, tmp_path):
    model, path = network(gates), tmp_path / "network.tflite"
    path.write_bytes(convert(model, frames, CALIBRATION))
    found = Int8Model(path).run(CALIBRATION[:20]).reshape(20, UNITS)
    np.testing.assert_allclose(found, model(CALIBRATION[None, :20]).numpy()[0], atol=0.03)
    [operator] = [op for op in read(path).operators if op.name == "UNIDIRECTIONAL_SEQUENCE_LSTM"]
    biases = np.split(model.get_weights()[2], 4)
    for gate in range(4):
        matrix, bias = operator.inputs[1 + gate], operator.inputs[12 + gate]
        assert (not matrix.data.any()) == (gate in gates)
        assert bias.scale[0] == pytest.approx(operator.inputs[0].scale[0] * matrix.scale[0])
        np.testing.assert_allclose(
            bias.data * float(bias.scale[0]), biases[gate], atol=bias.scale[0]
        )


def test_the_converter_alone_loses_the_bias(tmp_path, monkeypatch):
    """If this fails, the converter was mended and the module can go."""
    monkeypatch.setattr("tinyprune.export.tflite.with_biases", lambda file, model: file)
    path = tmp_path / "network.tflite"
    path.write_bytes(convert(network((1,)), 1, CALIBRATION))
    [operator] = [op for op in read(path).operators if op.name == "UNIDIRECTIONAL_SEQUENCE_LSTM"]
    assert (operator.inputs[13].data == np.iinfo(np.int32).max).all()


def test_what_has_inputs_is_left_as_it_is():
    file = ParsedFile(Path("network.tflite"), b"not even read", Graph((), (), ()))
    assert with_biases(file, network(())) is file
    without = keras.Sequential([keras.Input((None, 4)), keras.layers.LSTM(2, use_bias=False)])
    without.set_weights([np.zeros_like(one) for one in without.get_weights()])
    assert with_biases(file, without) is file


@pytest.mark.slow
def test_vela_compiles_it(tmp_path):
    from tinyprune.npu import targets, vela

    path = Path(tmp_path / "network.tflite")
    path.write_bytes(convert(network((1,)), 1, CALIBRATION))
    assert (
        vela.compile_tflite(path, targets.resolve("ethos-u55-128"), tmp_path).report.cpu_operators
        == ()
    )
