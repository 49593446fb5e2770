import numpy as np
import pytest

from tinyprune.errors import UsageError
from tinyprune.models.kwt import build


def test_parameters():
    model = build()
    block = 4 * (64 * 64 + 64) + (64 * 128 + 128) + (128 * 64 + 64) + 2 * 2 * 64
    assert model.count_params() == (10 * 64 + 64) + 49 * 64 + 3 * block + (64 * 12 + 12) == 105_036


def test_probabilities_of_words():
    model = build((8, 4, 1), 3, channels=8, heads=2, hidden=16, blocks=1)
    outputs = model(np.random.default_rng(0).normal(size=(5, 8, 4, 1)).astype(np.float32))
    np.testing.assert_allclose(np.sum(outputs, axis=1), 1, atol=1e-6)


def test_other_inputs_are_refused():
    with pytest.raises(UsageError, match="kwt takes inputs of shape"):
        build((49,))
