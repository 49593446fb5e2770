"""A network that learns under masks, from the canonical form to the plain result."""

import keras
import numpy as np
import pytest

from tinyprune.compress.fold import fold
from tinyprune.compress.planning import plan
from tinyprune.config import MagnitudePruning
from tinyprune.errors import CheckFailed
from tinyprune.training.compression import ScheduledMasks
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


def with_a_small_kernel(importance: str, floor: float) -> MaskedNetwork:
    """Two kernels in series, the first a thousand times smaller, nine weights of ten masked."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(4, activation="relu", name="small"),
            keras.layers.Dense(64, activation="relu", name="large"),
            keras.layers.Dense(3, name="head"),
        ]
    )
    small = model.get_layer("small")
    small.kernel.assign(small.kernel * 1e-3)
    config = MagnitudePruning(sparsity=0.9, importance=importance, floor=floor, end=0.25)
    canonical = fold(model)
    return MaskedNetwork(canonical, plan(canonical, config), np.eye(8, dtype=np.float32))


def test_a_training_stops_after_the_epoch_in_which_masks_have_closed_every_way():
    network = with_a_small_kernel("l1", floor=0.0)
    updater = network.updater(8)
    masks = ScheduledMasks(updater, network.check)
    masks.after_epoch(1)  # nothing is masked yet
    for step in range(4):
        masks.before_step(step)
    with pytest.raises(CheckFailed, match="nothing is left of small/kernel"):
        masks.after_epoch(2)
    with pytest.raises(CheckFailed, match="no longer depends on its input"):
        network.finish()


@pytest.mark.parametrize(("importance", "floor"), [("lamp", 0.25), ("l1", 0.25), ("lamp", 0.0)])
def test_no_kernel_is_emptied_by_default(importance, floor):
    network = with_a_small_kernel(importance, floor)
    updater = network.updater(8)
    for step in range(8):
        updater.update(step)
    masks = network.finish().masks
    assert all(mask.any() for mask in masks.values())
