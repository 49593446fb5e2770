import keras
import numpy as np
import pytest

from tinyprune.errors import UsageError
from tinyprune.models.crn import build

BANDS, OUTPUTS = 16, 12


@pytest.fixture(scope="module")
def tiny() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build((None, BANDS), OUTPUTS, channels=(4, 6), hidden=8, dilations=(1, 2))


def features(frames: int, scale: float = 1.0) -> np.ndarray:
    return scale * np.random.default_rng(0).normal(size=(2, frames, BANDS)).astype(np.float32)


def test_parameters_of_every_layer():
    model = build()
    kernels = {
        "encoder_1": 2 * 3 * 1 * 16,
        "encoder_2": 2 * 3 * 16 * 32,
        "encoder_3": 2 * 3 * 32 * 48,
        "encoder_4": 2 * 3 * 48 * 64,
        "squeeze": 8 * 64 * 128,
        **{f"temporal_{number}": 3 * 128 * 128 for number in (1, 2, 3, 4)},
        "expand": 128 * 8 * 64,
        "decoder_4": 1 * 3 * 64 * 48,
        "decoder_3": 1 * 3 * 48 * 32,
        "decoder_2": 1 * 3 * 32 * 16,
        "decoder_1": 1 * 3 * 16 * 4,
        "mask": 128 * 4 * 128 + 128,
    }
    norms = 4 * (16 + 32 + 48 + 64 + 128 + 4 * 128 + 8 * 64 + 48 + 32 + 16 + 4)
    assert {name: model.get_layer(name).count_params() for name in kernels} == kernels
    assert model.count_params() == sum(kernels.values()) + norms == 445_360


def test_plain_layers_only(tiny):
    assert {type(layer).__module__.split(".")[0] for layer in tiny.layers} == {"keras"}
    assert not any(isinstance(layer, keras.layers.RNN) for layer in tiny.layers)


def test_a_mask_per_frame_and_band_in_0_1(tiny):
    for scale in (1, 1e4):
        mask = np.asarray(tiny(features(7, scale)))
        assert mask.shape == (2, 7, OUTPUTS)
        assert mask.min() >= 0
        assert mask.max() <= 1


def test_the_past_does_not_know_the_future(tiny):
    now = features(10)
    other = now.copy()
    other[:, 6:] += 1
    before, after = np.asarray(tiny(now)), np.asarray(tiny(other))
    np.testing.assert_array_equal(before[:, :6], after[:, :6])
    assert np.abs(before[:, 6:] - after[:, 6:]).max(axis=2).all()


def test_a_frame_is_seen_as_long_as_the_layers_look_back(tiny):
    """Two encoder layers look back one frame, the residual blocks 2 * 1 and 2 * 2."""
    reach = 2 * 1 + 2 * (1 + 2)
    now = features(reach + 3)
    other = now.copy()
    other[:, 0] += 10
    changed = np.abs(np.asarray(tiny(now)) - np.asarray(tiny(other))).max(axis=(0, 2)) > 0
    assert changed[: reach + 1].all()
    assert not changed[reach + 1 :].any()


@pytest.mark.parametrize("frames", [None, 9])
def test_frames_may_be_fixed(frames):
    model = build((frames, BANDS), OUTPUTS, channels=(4,), hidden=8, dilations=(1,), look_back=2)
    assert model.input_shape == (None, frames, BANDS)
    assert model(features(9)).shape == (2, 9, OUTPUTS)


def test_bands_that_cannot_be_halved():
    with pytest.raises(
        UsageError, match=r"^crn halves the bands 4 times: expected a multiple of 16, got 40$"
    ):
        build((None, 40))


@pytest.mark.parametrize("inputs", [(49, 10, 1), (None, None), (128,)])
def test_inputs_of_other_tasks(inputs):
    with pytest.raises(UsageError, match=r"^crn takes inputs of shape \(frames, bands\)"):
        build(inputs)
