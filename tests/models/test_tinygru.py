import numpy as np
import pytest

from tinyprune.models.tinygru import build


def test_parameters_of_the_network():
    model = build()
    layers = {
        "gru_1": 3 * 256 * (128 + 256 + 2),  # each with a bias of the inputs and of the state
        "gru_2": 3 * 256 * (256 + 256 + 2),
        "dense": 256 * 128 + 128,
        "mask": 128 * 128 + 128,
    }
    assert {name: model.get_layer(name).count_params() for name in layers} == layers
    assert model.count_params() == sum(layers.values()) == 740_608


@pytest.mark.parametrize("reset_after", [True, False])
def test_a_mask_per_frame_that_knows_the_past_only(reset_after):
    model = build((None, 8), 8, units=6, hidden=5, reset_after=reset_after)
    now = np.random.default_rng(0).normal(size=(1, 10, 8)).astype(np.float32)
    other = now.copy()
    other[:, 6:] += 1
    before, after = np.asarray(model(now)), np.asarray(model(other))
    np.testing.assert_allclose(before[:, :6], after[:, :6], atol=1e-6)
    assert np.abs(before[:, 6:] - after[:, 6:]).max(axis=2).all()
    assert before.min() >= 0
    assert before.max() <= 1
