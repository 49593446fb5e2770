"""Pruners in a training loop that is not tinyprune's."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tinyprune
from tinyprune.errors import UsageError
from tinyprune.export.forward import of_keras
from tinyprune.tflite.forward import of_int8

CLASSES = 3
STEPS_PER_EPOCH = 4
BATCH = 16


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    """Return pictures (64, 8, 8, 3), each mostly of one of three colours, and their colours."""
    rng = np.random.default_rng(0)
    labels = np.arange(STEPS_PER_EPOCH * BATCH) % CLASSES
    pictures = rng.normal(0, 0.3, (len(labels), 8, 8, 3))
    pictures[np.arange(len(labels)), :, :, labels] += 1
    return pictures.astype(np.float32), labels


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """Return the network that is pruned, which stays as it is."""
    return built()


def built() -> keras.Model:
    """Return a network with BatchNorm: 3x3x3x16, 3x3x16x24 and 24x3 weights."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(16, 3, padding="same", use_bias=False, name="stem"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.Conv2D(24, 3, strides=2, activation="relu", name="conv"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(CLASSES, activation="softmax", name="head"),
        ],
        name="tiny",
    )


def fitted(pruner: tinyprune.Pruner, data, epochs: int = 2, **settings) -> keras.Model:
    prepared = pruner.prepare(data[0], **settings)
    prepared.compile(
        "adam", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=False
    )
    prepared.fit(*data, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=[pruner.callback()])
    return prepared


@pytest.fixture(scope="module")
def pruned(network, data) -> tuple[tinyprune.Pruner, keras.Model]:
    """Return a pruner at the end of a training, and the network that it makes."""
    pruner = tinyprune.Pruner(network, sparsity=0.75)
    fitted(pruner, data)
    return pruner, pruner.finalize()


def zeros(model: keras.Model, *layers: str) -> int:
    return sum(int((model.get_layer(name).get_weights()[0] == 0).sum()) for name in layers)


def test_weights_are_pruned_while_keras_fits(pruned):
    pruner, small = pruned
    total = 3 * 3 * 3 * 16 + 3 * 3 * 16 * 24 + 24 * 3
    masked = sum(int((mask == 0).sum()) for mask in pruner.masks.values())
    assert masked == int(0.75 * total)
    assert zeros(small, "stem", "conv", "head") >= masked
    assert type(small.get_layer("conv")) is keras.layers.Conv2D


def test_the_export_holds_every_zero_and_computes_the_same(pruned, data, tmp_path):
    pruner, small = pruned
    artifact = tinyprune.export_int8(small, data[0], tmp_path / "small.tflite", masks=pruner.masks)
    assert [tensor.name for tensor in artifact.tensors] == [
        "stem/kernel",
        "conv/kernel",
        "head/kernel",
    ]
    for tensor in artifact.tensors:
        assert tensor.masked == int((pruner.masks[tensor.name] == 0).sum())
    int8 = of_int8(artifact.path)(data[0])
    assert np.abs(int8 - of_keras(small)(data[0])).max() < 0.1


def test_the_kernels_are_on_their_int8_grid(pruned):
    _, small = pruned
    kernel = small.get_layer("conv").get_weights()[0]
    scale = np.abs(kernel).max(axis=(0, 1, 2)) / 127
    steps = kernel / np.where(scale, scale, 1)
    assert np.abs(steps - np.round(steps)).max() < 1e-3


@pytest.mark.slow
def test_units_are_removed_for_good(network, data):
    pruner = tinyprune.Pruner(network, structure="unit", sparsity=0.5)
    fitted(pruner, data)
    small = pruner.finalize()
    units = small.get_layer("stem").filters + small.get_layer("conv").filters
    assert units == (16 + 24) // 2 + 20 % 8 or units % 8 == 0
    assert small.count_params() < network.count_params() / 2
    assert all(mask.all() for mask in pruner.masks.values())
    assert pruner.masks["conv/kernel"].shape == small.get_layer("conv").kernel.shape


@pytest.mark.slow
def test_blocks_go_as_a_whole(network, data):
    pruner = tinyprune.Pruner(network, structure="block", block_size="8x8", sparsity=0.5)
    fitted(pruner, data)
    matrix = pruner.masks["conv/kernel"].reshape(-1, 24)
    blocks = matrix.reshape(18, 8, 3, 8).swapaxes(1, 2).reshape(18 * 3, 64)
    assert set(blocks.mean(axis=1)) == {0.0, 1.0}


@pytest.mark.slow
def test_an_importance_that_follows_gradients_sees_them_in_fit(network, data):
    pruner = tinyprune.Pruner(network, sparsity=0.5, importance="taylor")
    prepared = fitted(pruner, data)
    assert prepared.get_layer("conv").saliency["kernel"].numpy().max() > 0
    masked = sum(int((mask == 0).sum()) for mask in pruner.masks.values())
    assert masked == (3 * 3 * 3 * 16 + 3 * 3 * 16 * 24 + 24 * 3) // 2


def test_a_loop_of_ones_own_calls_step(network, data):
    steps = 6
    pruner = tinyprune.Pruner(network, sparsity=0.5, schedule="linear")
    prepared = pruner.prepare(data[0], steps=steps)
    optimizer = keras.optimizers.Adam(1e-3)
    loss = keras.losses.SparseCategoricalCrossentropy()
    shares = []
    for _ in range(steps):
        pruner.step()
        with tf.GradientTape() as tape:
            value = loss(data[1], prepared(data[0], training=True))
        gradients = tape.gradient(value, prepared.trainable_variables)
        optimizer.apply_gradients(zip(gradients, prepared.trainable_variables, strict=True))
        kernel = prepared.get_layer("conv").masks["kernel"].numpy()
        shares.append(float((kernel == 0).mean()))
    assert shares == sorted(shares)
    assert shares[0] < shares[-1]
    assert zeros(pruner.finalize(), "conv") >= shares[-1] * 3 * 3 * 16 * 24


@pytest.mark.usefixtures("pruned")
def test_the_network_that_is_given_stays_as_it_is(network):
    for old, new in zip(built().get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(network, data):
    kernels = []
    for _ in range(2):
        keras.utils.set_random_seed(1)
        pruner = tinyprune.Pruner(network, sparsity=0.5)
        fitted(pruner, data, epochs=1)
        kernels.append(pruner.finalize().get_layer("conv").get_weights()[0])
    np.testing.assert_array_equal(*kernels)


def test_order_of_calls_is_told(network, data):
    pruner = tinyprune.Pruner(network, sparsity=0.5)
    with pytest.raises(UsageError, match="call prepare"):
        pruner.finalize()
    pruner.prepare(data[0])
    with pytest.raises(UsageError, match="steps=N"):
        pruner.step()
    with pytest.raises(UsageError, match="before the first step"):
        pruner.finalize()


def test_a_training_that_stops_before_the_last_masks_is_told(network, data):
    pruner = tinyprune.Pruner(network, sparsity=0.5)
    pruner.prepare(data[0], steps=100)
    for _ in range(10):
        pruner.step()
    with pytest.raises(UsageError, match="after 10 steps: train on, or set an earlier end"):
        pruner.finalize()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"structure": "wait"}, "weight"),
        ({"sparsity": 1.5}, r"a fraction in \[0, 1\)"),
        ({"structure": "2:4", "sparsity": 0.8}, "2:4 sets it"),
        ({"exclude": ["nothing"]}, "no kernel is called 'nothing'"),
        ({"importance": "l3"}, "l1"),
        ({"structure": "low-rank"}, "finds ranks by the data .* `tinyprune prune`, or take 'unit'"),
    ],
)
def test_wrong_settings_are_refused_at_once(network, settings, message):
    with pytest.raises(UsageError, match=message):
        tinyprune.Pruner(network, **settings)
