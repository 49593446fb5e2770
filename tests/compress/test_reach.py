"""Masks that close every way from the input to the output of a network."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.support.networks import NETWORKS
from tests.support.quick import quick
from tinyprune.compress.fold import fold
from tinyprune.compress.kinds.base import kernels
from tinyprune.compress.kinds.lookup import kernel_kind
from tinyprune.compress.reach import Reach, probes, probes_of, responds
from tinyprune.errors import CheckFailed


def calibration(model: keras.Model) -> np.ndarray:
    shape = tuple(size or 12 for size in model.inputs[0].shape[1:])
    return np.random.default_rng(0).normal(size=(20, *shape)).astype(np.float32)


def ones(model: keras.Model) -> dict[str, np.ndarray]:
    masks = {}
    for layer in model.layers:
        if kernel_kind(layer) is not None:
            for name, kernel in kernels(layer).items():
                masks[f"{layer.name}/{name}"] = np.ones(kernel.shape, np.float32)
    return masks


def in_series() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, activation="relu6", name="first"),
            layers.Conv2D(4, 3, activation="sigmoid", name="second"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax", name="last"),
        ]
    )


def beside() -> keras.Model:
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", name="stem")(x)
    y = layers.Conv2D(4, 3, padding="same", name="branch")(x)
    x = layers.GlobalAveragePooling2D()(layers.Add()([x, y]))
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="head")(x))


@pytest.mark.parametrize("scale", [1e-6, 1, 255])
@pytest.mark.parametrize("name", ["first", "second", "last"])
def test_an_empty_kernel_in_series_closes_every_way(name, scale):
    model = fold(in_series())
    reach = Reach(model, scale * calibration(model))
    masks = ones(model)
    assert reach.is_open(masks)
    masks[f"{name}/kernel"][:] = 0
    assert not reach.is_open(masks)
    with pytest.raises(CheckFailed, match=f"nothing is left of {name}/kernel"):
        reach.check(masks)


def test_an_empty_kernel_on_a_branch_leaves_the_other_way_open():
    model = fold(beside())
    reach = Reach(model, calibration(model))
    masks = ones(model)
    masks["branch/kernel"][:] = 0
    assert reach.is_open(masks)
    masks["stem/kernel"][:] = 0
    assert not reach.is_open(masks)


def test_kernels_that_have_weights_but_do_not_meet_close_the_way_too():
    model = fold(in_series())
    masks = ones(model)
    masks["first/kernel"][..., 1:] = 0  # only channel 0 is made
    masks["second/kernel"][:, :, 0, :] = 0  # and it is not read
    assert not Reach(model, calibration(model)).is_open(masks)


ONE_INPUT = sorted(set(NETWORKS) - {"siamese"})


@pytest.mark.parametrize("name", quick(ONE_INPUT, "grouped", "tiny_lstm"))
def test_every_network_is_open_before_and_closed_without_weights(name):
    model = fold(NETWORKS[name]())
    reach = Reach(model, calibration(model)[:4])
    masks = ones(model)
    assert reach.is_open(masks)
    assert not reach.is_open({key: 0 * mask for key, mask in masks.items()})


def test_a_network_responds_unless_its_outputs_are_constants():
    model = in_series()
    inputs = calibration(model)
    assert responds(model, inputs) == [True]
    kernel, bias = model.get_layer("first").get_weights()
    model.get_layer("first").set_weights([0 * kernel, bias])
    assert responds(model, inputs) == [False]


def test_probes_are_examples_from_all_over_or_pieces_of_the_sequence():
    examples = np.arange(64.0).reshape(64, 1)
    assert probes_of(examples, has_sequences=False).ravel().tolist() == list(range(0, 64, 4))
    frames = np.arange(40.0)[:, None] * np.ones(3)
    found = probes_of(frames, has_sequences=True)
    assert found.shape == (16, 2, 3)
    assert found[1, :, 0].tolist() == [2, 3]


def test_frames_of_a_network_of_sequences_are_one_sequence():
    model = keras.Sequential([keras.Input((None, 3)), layers.LSTM(2, return_sequences=True)])
    assert probes(np.zeros((160, 3), np.float32), model).shape == (16, 10, 3)
