import keras
import numpy as np
import pytest
import tensorflow as tf

from tinyprune.compress.kinds.base import kernels
from tinyprune.compress.normaliser import EPSILON, MOMENTUM, Normaliser
from tinyprune.compress.prepare import calibrate, compressed_layers, prepare, strip
from tinyprune.export.matching import rounded_to_int8

LAYERS = keras.layers
KINDS = {
    "conv": LAYERS.Conv2D(6, 3, padding="same", activation="relu", name="layer"),
    "depthwise": LAYERS.DepthwiseConv2D(3, depth_multiplier=2, activation="relu", name="layer"),
    "transposed": LAYERS.Conv2DTranspose(6, 2, strides=2, name="layer"),
}


def network(kind: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    layer = KINDS[kind].__class__.from_config(KINDS[kind].get_config())
    return keras.Model(
        inputs, LAYERS.Dense(4, name="out")(LAYERS.GlobalAveragePooling2D()(layer(inputs)))
    )


def inputs(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(32, 8, 8, 3)).astype(np.float32)


def sequence() -> tuple[keras.Model, np.ndarray]:
    keras.utils.set_random_seed(0)
    given = keras.Input((None, 5))
    x = LAYERS.Conv1D(6, 3, padding="causal", name="layer")(given)
    return keras.Model(given, LAYERS.Dense(4, name="out")(x)), inputs().reshape(2, -1, 6)[:, :, :5]


@pytest.mark.parametrize("kind", KINDS)
def test_a_normaliser_begins_as_the_identity(kind):
    model = network(kind)
    plain, normalised = prepare(model), prepare(model, normalised=True)
    for prepared in (plain, normalised):
        calibrate(prepared, [inputs()])
    np.testing.assert_allclose(
        normalised(inputs()), plain(inputs()), atol=0.02
    )  # a value may be on the next grid point
    assert np.mean(np.abs(normalised(inputs()) - plain(inputs()))) < 1e-3
    assert (
        not hasattr(plain.get_layer("out"), "normaliser")
        or plain.get_layer("out").normaliser is None
    )


def shaken(model: keras.Model, data: np.ndarray) -> keras.Model:
    """A prepared model with random masks, gains, biases and averages."""
    rng, prepared = np.random.default_rng(1), prepare(model, normalised=True)
    calibrate(prepared, [data])
    layer = prepared.get_layer("layer")
    layer.masks["kernel"].assign(rng.random(layer.masks["kernel"].shape) < 0.5)
    layer.bias.assign(rng.normal(size=layer.bias.shape))
    channels = layer.normaliser.gain.shape
    layer.normaliser.gain.assign(
        rng.normal(size=channels)
    )  # a negative factor turns the grid around, and fits it
    layer.normaliser.mean.assign(rng.normal(size=channels))
    layer.normaliser.variance.assign(rng.uniform(0.5, 2, size=channels))
    calibrate_ranges_only(prepared, data)
    return prepared


def calibrate_ranges_only(prepared: keras.Model, data: np.ndarray) -> None:
    """Wide enough ranges that nothing is clipped."""
    for layer in compressed_layers(prepared):
        layer.output_quantizer.high.assign(50.0)
        if not layer.output_quantizer.positive:
            layer.output_quantizer.low.assign(-50.0)


@pytest.mark.parametrize("kind", [*KINDS, "sequence"])
def test_stripping_folds_it_and_keeps_the_integers(kind):
    model, data = sequence() if kind == "sequence" else (network(kind), inputs())
    prepared = shaken(model, data)
    plain = strip(prepared, model)
    layer, folded = prepared.get_layer("layer"), plain.get_layer("layer")
    effective, deployed = layer.effective("kernel").numpy(), kernels(folded)["kernel"].numpy()
    np.testing.assert_array_equal(deployed == 0, effective == 0)
    trained = rounded_to_int8(folded, effective)
    found = rounded_to_int8(folded, deployed)
    np.testing.assert_array_equal(np.abs(found), np.abs(trained))
    outputs = prepared(data).numpy()
    assert (
        np.abs(outputs - plain(data)).max() < 3 * 100 / 255
    )  # the steps of three grids of -50..50


def test_training_normalises_with_the_batch_and_averages_move():
    layer = Normaliser()
    values = np.random.default_rng(0).normal(3.0, 2.0, size=(64, 5, 5, 2)).astype(np.float32)
    layer.build((2,))
    bias = np.array([0.5, -1.5], np.float32)
    out = layer(values, bias, training=True).numpy()
    np.testing.assert_allclose(out.mean(axis=(0, 1, 2)), bias, atol=1e-5)
    np.testing.assert_allclose(out.var(axis=(0, 1, 2)), 1, atol=1e-2)
    np.testing.assert_allclose(layer.mean, (1 - MOMENTUM) * values.mean(axis=(0, 1, 2)), rtol=1e-4)
    variance = MOMENTUM + (1 - MOMENTUM) * values.var(axis=(0, 1, 2), ddof=1)
    np.testing.assert_allclose(layer.variance, variance, rtol=1e-3)
    inference = (values - layer.mean.numpy()) / np.sqrt(layer.variance.numpy() + EPSILON)
    np.testing.assert_allclose(layer(values, bias), inference + bias, atol=1e-4)


def test_a_relu_and_its_grid_are_one_operation():
    """The grid begins at 0, so it cuts negative values itself, and their gradient."""
    given = keras.Input((6, 6, 3))
    made = LAYERS.Conv2D(4, 3, activation="relu", name="layer")(given)
    layer = prepare(keras.Model(given, made), normalised=True).get_layer("layer")
    layer.output_quantizer.high.assign(2.0)
    values = tf.constant(np.random.default_rng(0).normal(size=(8, 6, 6, 3)).astype(np.float32))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(values)
        found = layer(values)
        with_relu = layer.output_quantizer.on_grid(tf.nn.relu(argument(layer, values)))
    assert float(tf.reduce_min(found)) == 0
    np.testing.assert_array_equal(found, with_relu)
    np.testing.assert_array_equal(tape.gradient(found, values), tape.gradient(with_relu, values))


def argument(layer, values):
    """Return what the activation of a layer is applied to."""
    products = layer.linear(values, layer.effective("kernel"))
    return layer.normaliser(products, layer.bias.value)


def test_a_layer_without_bias_is_left_alone():
    given = keras.Input((8, 8, 3))
    model = keras.Model(given, LAYERS.Conv2D(4, 3, use_bias=False, name="layer")(given))
    assert prepare(model, normalised=True).get_layer("layer").normaliser is None
