import keras
import numpy as np
import pytest

from tinyprune.compress.export_layers import with_export_layers
from tinyprune.compress.fused_lstm import FusedLSTM
from tinyprune.export.tflite import convert
from tinyprune.models.tinylstm import build
from tinyprune.tflite.flatbuffer import read
from tinyprune.tflite.graph import Graph
from tinyprune.tflite.interpreter import Int8Model

BANDS, UNITS, HIDDEN, FRAMES = 8, 6, 5, 4
OPERATORS = [
    *2 * ["UNIDIRECTIONAL_SEQUENCE_LSTM"],
    "FULLY_CONNECTED",
    "FULLY_CONNECTED",
    "LOGISTIC",
]


def network() -> keras.Model:
    """Weights large enough for outputs all over [0, 1]."""
    keras.utils.set_random_seed(0)
    model = build((None, BANDS), BANDS, UNITS, HIDDEN)
    model.set_weights([2 * weights for weights in model.get_weights()])
    return model


def stream(frames: int) -> np.ndarray:
    """Consecutive features that change slowly."""
    noise = np.random.default_rng(0).normal(size=(frames + 8, BANDS))
    return np.stack([noise[t : t + 8].mean(axis=0) * 3 for t in range(frames)]).astype(np.float32)


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Graph, Int8Model]]:
    """Frames per call -> what was converted."""
    found = {}
    for frames in (1, FRAMES):
        path = tmp_path_factory.mktemp("fused") / f"{frames}.tflite"
        path.write_bytes(convert(network(), frames, stream(100)))
        found[frames] = read(path), Int8Model(path)
    return found


def sqnr_db(reference: np.ndarray, found: np.ndarray) -> float:
    signal = reference - reference.mean()
    return 10 * np.log10(np.sum(signal**2) / np.sum((reference - found) ** 2))


@pytest.mark.parametrize("frames", [1, FRAMES])
def test_each_layer_is_one_fused_int8_operator(graphs, frames):
    graph, _ = graphs[frames]
    assert [operator.name for operator in graph.operators] == OPERATORS
    for operator in graph.operators[:2]:
        assert {tensor.dtype for tensor in operator.inputs[:9]} == {
            "int8"
        }  # x, then 4 + 4 gate matrices
        assert [tensor.shape[0] for tensor in operator.inputs[1:9]] == 8 * [UNITS]
        h, c = operator.inputs[18:20]
        assert (h.dtype, c.dtype) == ("int8", "int16")
        assert h.data is None
        assert c.data is None  # variables, not constants
    assert graph.inputs[0].shape == (1, frames, BANDS)


def test_frame_by_frame_is_the_sequence(graphs):
    features = stream(60)
    streaming, sequence = (graphs[frames][1].run(features) for frames in (1, FRAMES))
    assert (
        np.abs(streaming - sequence).max() <= 2 / 256
    )  # two calibrations may differ in a last digit


@pytest.mark.parametrize("frames", [1, FRAMES])
def test_int8_follows_the_float_network(graphs, frames):
    features = stream(60)
    reference = np.asarray(network()(features[None]))[0]
    assert np.ptp(reference) > 0.3
    assert sqnr_db(reference, graphs[frames][1].run(features)) > 25


@pytest.mark.parametrize("frames", [1, FRAMES])
def test_the_state_lives_between_calls_until_reset(graphs, frames):
    model, features = graphs[frames][1], stream(frames)
    model.reset()
    first, second = model.step(features), model.step(features)
    assert np.abs(first - second).max() > 2 / 256
    model.reset()
    np.testing.assert_array_equal(model.step(features), first)
    np.testing.assert_array_equal(model.step(features), second)


def test_the_composite_function_computes_what_keras_does():
    model, features = network(), stream(FRAMES)[None]
    fused = with_export_layers(model)
    assert [type(layer) for layer in fused.layers[1:3]] == [FusedLSTM, FusedLSTM]
    np.testing.assert_allclose(fused(features), model(features), atol=1e-5)


def test_each_layer_has_a_composite_function_of_its_own():
    """The converter tells them apart by this name."""
    first, second = with_export_layers(network()).layers[1:3]
    names = {
        layer._composite.get_concrete_function(
            np.zeros((1, 1, width), np.float32),
            *2 * [np.zeros((1, UNITS), np.float32)],
            np.zeros((width, 4 * UNITS), np.float32),
            np.zeros((UNITS, 4 * UNITS), np.float32),
            np.zeros(4 * UNITS, np.float32),
        )
        .function_def.attr["api_implements"]
        .s
        for layer, width in ((first, BANDS), (second, UNITS))
    }
    assert len(names) == 2
    assert all(name.startswith(b"lstm_") for name in names)


def test_an_lstm_without_bias_that_returns_its_last_output(tmp_path):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, BANDS))
    last = keras.layers.LSTM(UNITS, use_bias=False)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3)(last))
    features = stream(FRAMES)
    np.testing.assert_allclose(
        with_export_layers(model)(features[None]), model(features[None]), atol=1e-5
    )
    path = tmp_path / "last.tflite"
    path.write_bytes(convert(model, FRAMES, stream(40)))
    assert [operator.name for operator in read(path).operators][0] == "UNIDIRECTIONAL_SEQUENCE_LSTM"
    made = Int8Model(path)
    made.reset()
    np.testing.assert_allclose(made.step(features), np.asarray(model(features[None]))[0], atol=0.05)
