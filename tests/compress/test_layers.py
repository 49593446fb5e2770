import keras
import numpy as np
import pytest
import tensorflow as tf

from tinyprune.compress.fake_quant import Observe
from tinyprune.compress.layers import CompressedDense, CompressedLSTM

BATCH, FRAMES, BANDS, UNITS = 2, 5, 8, 6
SEQUENCES = np.random.default_rng(0).normal(size=(BATCH, FRAMES, BANDS)).astype(np.float32)


def built(kind, **config) -> keras.Layer:
    keras.utils.set_random_seed(0)
    config = {"units": UNITS, **({"return_sequences": True} if kind is CompressedLSTM else {}), **config}
    layer = kind(**config)
    layer.build(SEQUENCES.shape)
    if layer.quantized:
        layer.output_quantizer.observe = Observe.EXTREMES
        layer(SEQUENCES)
        layer.output_quantizer.observe = Observe.AVERAGE
    return layer


def random_masks(layer: keras.Layer) -> dict[str, np.ndarray]:
    rng, found = np.random.default_rng(1), {}
    for name, mask in layer.masks.items():
        found[name] = rng.integers(0, 2, mask.shape).astype(np.float32)
        mask.assign(found[name])
    return found


def on_grid(matrix: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.round(matrix / scale) * scale


every_kind = pytest.mark.parametrize("kind", [CompressedDense, CompressedLSTM])


@every_kind
@pytest.mark.parametrize("quantized", [True, False], ids=["int8", "float"])
@pytest.mark.parametrize("masked", [True, False], ids=["masked", "dense"])
def test_effective_is_fake_quant_of_mask_times_kernel(kind, masked, quantized):
    layer = built(kind, masked=masked, quantized=quantized)
    masks = random_masks(layer)
    assert list(masks) == (list(layer.kernels()) if masked else [])
    for name, kernel in layer.kernels().items():
        expected = kernel.numpy() * masks.get(name, 1)
        expected = layer.on_grid(tf.constant(expected)).numpy() if quantized else expected
        np.testing.assert_array_equal(layer.effective(name), expected)
        if masked:
            assert np.all(layer.effective(name).numpy()[masks[name] == 0] == 0)


def test_dense_has_one_scale_per_output():
    layer = built(CompressedDense)
    kernel = layer.kernel.numpy() * np.float32(10.0) ** np.arange(UNITS)
    layer._kernel.assign(kernel)
    expected = on_grid(kernel, np.abs(kernel).max(axis=0) / 127)
    np.testing.assert_allclose(layer.effective("kernel"), expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["kernel", "recurrent_kernel"])
def test_lstm_has_one_scale_per_gate_matrix(name):
    layer = built(CompressedLSTM)
    gates = np.split(layer.kernels()[name].numpy(), 4, axis=1)
    gates = [gate * 10**power for power, gate in enumerate(gates)]  # i, f, g, o, each ten times the one before
    layer.kernels()[name].assign(np.concatenate(gates, axis=1))
    expected = [on_grid(gate, np.abs(gate).max() / 127) for gate in gates]
    np.testing.assert_allclose(layer.effective(name), np.concatenate(expected, axis=1), rtol=1e-4)
    for gate in np.split(layer.effective(name).numpy(), 4, axis=1):
        assert len(np.unique(np.round(gate / np.abs(gate).max() * 127))) > 10  # no gate drowns in another's scale


@every_kind
@pytest.mark.parametrize("quantized", [True, False], ids=["int8", "float"])
def test_masked_weights_get_no_gradient_and_stay_zero(kind, quantized):
    layer = built(kind, quantized=quantized)
    masks, before = random_masks(layer), {name: kernel.numpy() for name, kernel in layer.kernels().items()}
    optimizer = keras.optimizers.Adam(0.1)
    for _ in range(3):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((layer(SEQUENCES, training=True) - 0.3) ** 2)
        variables = layer.trainable_variables
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        by_variable = {id(variable): gradient.numpy() for variable, gradient in zip(variables, gradients, strict=True)}
        for name, kernel in layer.kernels().items():
            assert np.all(by_variable[id(kernel)][masks[name] == 0] == 0)
            assert np.any(by_variable[id(kernel)][masks[name] == 1] != 0)
        optimizer.apply(gradients, variables)
    for name, kernel in layer.kernels().items():
        assert np.all(layer.effective(name).numpy()[masks[name] == 0] == 0)
        np.testing.assert_array_equal(kernel.numpy()[masks[name] == 0], before[name][masks[name] == 0])
        assert np.all(kernel.numpy()[masks[name] == 1] != before[name][masks[name] == 1])
        np.testing.assert_array_equal(layer.masks[name].numpy(), masks[name])


@every_kind
def test_only_kernels_and_biases_are_trainable(kind):
    layer = built(kind)
    trainable = [variable.name for variable in layer.trainable_variables]
    assert trainable == [*layer.kernels(), "bias"]


@every_kind
@pytest.mark.parametrize("use_bias", [True, False], ids=["bias", "no bias"])
def test_without_masks_and_int8_it_is_the_plain_layer(kind, use_bias):
    layer = built(kind, masked=False, quantized=False, use_bias=use_bias)
    base = {CompressedDense: keras.layers.Dense, CompressedLSTM: keras.layers.LSTM}[kind]
    config = {key: value for key, value in layer.get_config().items() if key not in ("masked", "quantized")}
    plain = base.from_config(config)
    plain.build(SEQUENCES.shape)
    plain.set_weights([variable.numpy() for variable in layer.trainable_variables])
    np.testing.assert_allclose(layer(SEQUENCES), plain(SEQUENCES), atol=1e-6)


def test_lstm_gives_the_last_output_where_no_sequence_is_asked_for():
    whole, last = built(CompressedLSTM), built(CompressedLSTM, return_sequences=False)
    assert last(SEQUENCES).shape == (BATCH, UNITS)
    np.testing.assert_allclose(whole(SEQUENCES)[:, -1], last(SEQUENCES), atol=1e-6)


@pytest.mark.parametrize(
    ("activation", "scale", "zero"), [("sigmoid", 1 / 256, 0.0), ("softmax", 1 / 256, 0.0), ("tanh", 1 / 128, 0.0)]
)
def test_outputs_of_bounded_activations_are_on_the_grid_that_tflite_prescribes(activation, scale, zero):
    layer = built(CompressedDense, activation=activation)
    layer.argument.observe = Observe.EXTREMES
    layer(SEQUENCES)
    layer.argument.observe = Observe.AVERAGE
    for _ in range(2):  # training does not move it
        steps = (layer(SEQUENCES, training=True).numpy() - zero) / scale
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
        assert len(np.unique(np.round(steps))) > 5


@pytest.mark.parametrize(("activation", "fused"), [("linear", True), ("relu", True), ("tanh", False), ("gelu", False)])
def test_an_activation_that_is_not_fused_gets_a_grid_for_its_argument(activation, fused):
    layer = built(CompressedDense, activation=activation)
    assert (layer.argument is None) is fused


def test_int8_h_is_on_the_grid_of_its_range():
    layer = built(CompressedLSTM)
    low, high = (float(variable.numpy()) for variable in (layer.output_quantizer.low, layer.output_quantizer.high))
    steps = layer(SEQUENCES).numpy() / ((high - low) / 255)
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-2)
    assert low < 0 < high
