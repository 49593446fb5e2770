"""A network that learns under masks, from the canonical form to the plain result."""

import keras
import numpy as np

from tinyprune.compress.fold import fold
from tinyprune.compress.planning import plan
from tinyprune.config import MagnitudePruning
from tinyprune.training.masked_network import MaskedNetwork

STEPS = 4


def pruned(structure: str, sparsity: float):
    keras.utils.set_random_seed(0)
    dense = keras.layers.Dense
    model = keras.Sequential(
        [keras.Input((8,)), dense(16, activation="relu", name="hidden"), dense(3, name="head")]
    )
    canonical = fold(model)
    config = MagnitudePruning(structure=structure, sparsity=sparsity, round_to=1)
    network = MaskedNetwork(canonical, plan(canonical, config), np.eye(8, dtype=np.float32))
    updater = network.updater(STEPS)
    for step in range(STEPS):
        updater.update(step)
    return network.finish()


def test_masks_and_zeros_are_those_of_the_plan():
    result = pruned("weight", 0.5)
    assert sum(int((mask == 0).sum()) for mask in result.masks.values()) == (8 * 16 + 16 * 3) // 2
    for key, mask in result.masks.items():
        kernel = result.model.get_layer(key.partition("/")[0]).kernel.numpy()
        assert not kernel[mask == 0].any()


def test_units_are_gone_with_their_masks():
    result = pruned("unit", 0.5)
    assert result.model.get_layer("hidden").kernel.shape == (8, 8)
    assert result.model.get_layer("head").kernel.shape == (8, 3)
    assert {key: mask.shape for key, mask in result.masks.items()} == {
        "hidden/kernel": (8, 8),
        "head/kernel": (8, 3),
    }
