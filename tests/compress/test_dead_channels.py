"""Channels that training with weight decay has left at 1e-30: zeros before int8 learning."""

import keras
import numpy as np
import pytest
from keras import layers

from tinyprune.compress.dead_channels import describe_dead_channels, zero_dead_channels
from tinyprune.compress.fold import fold
from tinyprune.compress.planning import plan
from tinyprune.compress.prepare import batches, calibrate, prepare, strip
from tinyprune.config import MagnitudePruning
from tinyprune.export.tflite import export
from tinyprune.training.masked_network import MaskedNetwork

DEAD = 10


def convolution(kernel: np.ndarray, bias: np.ndarray) -> keras.Layer:
    layer = layers.Conv2D(kernel.shape[-1], kernel.shape[0])
    layer.build((None, None, None, kernel.shape[2]))
    layer.set_weights([kernel, bias])
    return layer


def mobile_network() -> keras.Model:
    """Three separable blocks of 24 channels, in which 10 channels of every BatchNorm are dead."""
    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(3)
    x = inputs = keras.Input((12, 12, 3))
    for number in range(3):
        x = layers.Conv2D(24, 3 if number == 0 else 1, use_bias=False)(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization(name=f"point_norm_{number}")(x))
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization(name=f"depth_norm_{number}")(x))
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(4, activation="softmax")(x))
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            gamma = rng.uniform(0.5, 1.5, 24)
            gamma[:DEAD] = 1e-30 * rng.uniform(0.1, 10, DEAD)
            layer.set_weights([gamma, rng.normal(0, 0.3, 24), rng.normal(0, 0.1, 24), np.ones(24)])
    return model


def test_a_channel_without_weights_to_speak_of_becomes_zeros_and_keeps_its_bias():
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(3, 3, 2, 4)).astype(np.float32)
    kernel[..., 1] *= 1e-30
    kernel[..., 3] *= 1e-9  # beside a bias of 1 000: not seen in 8 bits
    bias = np.array([0.1, 0.2, 0.3, 1000], np.float32)
    layer = convolution(kernel, bias)
    zero_dead_channels(layer)
    found, found_bias = layer.get_weights()
    assert not found[..., [1, 3]].any()
    np.testing.assert_array_equal(found[..., [0, 2]], kernel[..., [0, 2]])
    np.testing.assert_array_equal(found_bias, bias)


@pytest.mark.parametrize("scale", [1e-3, 1, 1e3])
def test_small_channels_and_small_kernels_are_not_dead(scale):
    kernel = scale * np.array([1.0, 1e-4, 1e-6, 1.0], np.float32).reshape(1, 1, 1, 4)
    layer = convolution(kernel, np.zeros(4, np.float32))
    zero_dead_channels(layer)
    np.testing.assert_array_equal(layer.get_weights()[0], kernel)


def test_gammas_of_nothing_are_zeros_in_the_canonical_network():
    canonical = fold(mobile_network())
    pairs = describe_dead_channels(canonical).split(", ")
    assert len(pairs) == 6
    assert all(pair.startswith(f"{DEAD} of 24 of ") for pair in pairs)
    inputs = np.random.default_rng(0).normal(size=(4, 12, 12, 3)).astype(np.float32)
    np.testing.assert_allclose(canonical(inputs), mobile_network()(inputs), atol=1e-5)


@pytest.mark.slow
def test_a_network_with_dead_channels_learns_and_is_exported(tmp_path):
    canonical = fold(mobile_network())
    inputs = np.random.default_rng(0).normal(size=(32, 12, 12, 3)).astype(np.float32)
    found = plan(
        canonical, MagnitudePruning(importance="lamp", sparsity=0.5, schedule="constant", end=1.0)
    )
    network = MaskedNetwork(canonical, found, inputs)
    updater = network.updater(6)
    network.prepared.compile("sgd", "sparse_categorical_crossentropy")
    for step in range(6):
        updater.update(step)
        network.prepared.train_on_batch(inputs, np.arange(32) % 4)
    pruned = network.finish()
    artifact = export(fold(pruned.model), None, inputs, pruned.masks, tmp_path / "int8.tflite")
    for tensor in artifact.tensors:
        assert tensor.zeros >= tensor.masked


def test_zeros_of_a_channel_whose_scale_follows_its_bias_are_not_held_against_it(tmp_path):
    """The converter makes such a scale larger, and the small weights beside the bias zeros."""
    rng = np.random.default_rng(0)
    inputs = keras.Input((6, 6, 3))
    model = keras.Model(inputs, layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(inputs)))
    kernel = rng.normal(size=(3, 3, 3, 4)).astype(np.float32)
    kernel[..., 0] *= 2e-7
    model.layers[1].set_weights([kernel, np.array([1, 0.1, 0.2, 0.3], np.float32)])
    examples = rng.uniform(-1, 1, (16, 6, 6, 3)).astype(np.float32)
    prepared = prepare(model)
    calibrate(prepared, batches(examples, prepared))
    trained = strip(prepared, model)
    masks = {f"{model.layers[1].name}/kernel": np.ones(kernel.shape, np.float32)}
    artifact = export(trained, None, examples, masks, tmp_path / "int8.tflite")
    [tensor] = artifact.tensors
    assert tensor.zeros > (trained.layers[1].get_weights()[0] == 0).sum()
