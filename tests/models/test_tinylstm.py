import keras
import numpy as np
import pytest

from tinyprune.errors import UsageError
from tinyprune.models import tinygru
from tinyprune.models.tinylstm import build

BANDS, UNITS, HIDDEN = 8, 6, 16


@pytest.fixture(scope="module")
def tiny() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build((None, BANDS), BANDS, UNITS, HIDDEN)


def features(frames: int, scale: float = 1.0) -> np.ndarray:
    return scale * np.random.default_rng(0).normal(size=(2, frames, BANDS)).astype(np.float32)


@pytest.mark.parametrize("build_network", [build, tinygru.build], ids=["lstm", "gru"])
def test_hard_gates_are_those_of_both_recurrent_layers(build_network):
    model = build_network((None, BANDS), BANDS, UNITS, HIDDEN, gates="hard")
    recurrent = [layer for layer in model.layers if hasattr(layer, "recurrent_activation")]
    functions = [(layer.recurrent_activation, layer.activation) for layer in recurrent]
    assert functions == [(keras.activations.hard_sigmoid, keras.activations.hard_tanh)] * 2
    with pytest.raises(UsageError, match="unknown gates 'sharp'.*expected one of: hard, soft"):
        build_network((None, BANDS), BANDS, UNITS, HIDDEN, gates="sharp")


def test_parameters_of_the_published_network():
    model = build()
    layers = {
        "lstm_1": 4 * 256 * (128 + 256 + 1),
        "lstm_2": 4 * 256 * (256 + 256 + 1),
        "dense": 256 * 128 + 128,
        "mask": 128 * 128 + 128,
    }
    assert {name: model.get_layer(name).count_params() for name in layers} == layers
    assert model.count_params() == sum(layers.values()) == 968_960


def test_every_size_can_be_chosen(tiny):
    expected = 4 * UNITS * (BANDS + UNITS + 1) + 4 * UNITS * (UNITS + UNITS + 1)
    expected += UNITS * HIDDEN + HIDDEN + HIDDEN * BANDS + BANDS
    assert tiny.count_params() == expected


def test_a_mask_per_frame_and_band_in_0_1(tiny):
    for scale in (1, 1e4):
        mask = np.asarray(tiny(features(7, scale)))
        assert mask.shape == (2, 7, BANDS)
        assert mask.min() >= 0
        assert mask.max() <= 1


def test_the_past_does_not_know_the_future(tiny):
    now = features(10)
    other = now.copy()
    other[:, 6:] += 1
    before, after = np.asarray(tiny(now)), np.asarray(tiny(other))
    np.testing.assert_array_equal(before[:, :6], after[:, :6])
    assert np.abs(before[:, 6:] - after[:, 6:]).max(axis=2).all()  # every later frame changes


def test_the_past_is_remembered(tiny):
    now = features(10)
    other = now.copy()
    other[:, 0] += 1
    assert np.abs(np.asarray(tiny(now)) - np.asarray(tiny(other)))[:, 5].max() > 1e-6
