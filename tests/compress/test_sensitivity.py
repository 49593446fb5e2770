"""One layer at a time is pruned, the others are whole."""

import keras
import numpy as np
import pytest

from tinyprune.compress.mask_updater import read_masks
from tinyprune.compress.sensitivity import LayerPruner
from tinyprune.config import MagnitudePruning

OFF = {"scope": "layer", "schedule": "one-shot", "round_to": 1}


@pytest.fixture(scope="module")
def pruner():
    """4 -> 8 -> 8, which is added to the first 8, -> 3."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    first = keras.layers.Dense(8, activation="relu", name="first")(inputs)
    second = keras.layers.Dense(8, name="second")(first)
    joined = keras.layers.Add(name="add")([first, second])
    model = keras.Model(inputs, keras.layers.Dense(3, name="head")(joined))
    calibration = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
    return LayerPruner(model, calibration)


def zeros(pruner):
    masks = read_masks(pruner.prepared)
    return {key.partition("/")[0]: int((mask == 0).sum()) for key, mask in masks.items()}


def test_a_layer_is_pruned_alone_and_whole_again(pruner):
    trials, skipped = pruner.trials(
        MagnitudePruning(importance="lamp", sparsity=0.5, floor=0, **OFF)
    )
    assert [trial.layers for trial in trials] == [("first",), ("second",), ("head",)]
    assert not skipped
    found = []
    for trial in trials:
        pruner.prune(trial)
        found.append(zeros(pruner))
    assert found == [
        {"first": 4 * 8 // 2, "second": 0, "head": 0},
        {"first": 0, "second": 8 * 8 // 2, "head": 0},
        {"first": 0, "second": 0, "head": 8 * 3 // 2},
    ]


def test_layers_that_share_units_lose_them_together(pruner):
    """Half of the 8 units are columns of both layers, rows of the second and of the head."""
    trials, skipped = pruner.trials(
        MagnitudePruning(importance="lamp", structure="unit", sparsity=0.5, **OFF)
    )
    assert [trial.layers for trial in trials] == [("first", "second")]
    assert list(skipped) == ["head/kernel"]
    pruner.prune(trials[0])
    kept = 4
    assert zeros(pruner) == {
        "first": 4 * (8 - kept),
        "second": 64 - kept**2,
        "head": 3 * (8 - kept),
    }
