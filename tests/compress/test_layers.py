import keras
import numpy as np
import pytest
import tensorflow as tf

from tinyprune.compress.fake_quant import MOMENTUM, Observe
from tinyprune.compress.kinds.base import kernels
from tinyprune.compress.kinds.cell_lstm import CompressedCellLSTM
from tinyprune.compress.kinds.conv import CompressedConv1D, CompressedConv2D
from tinyprune.compress.kinds.dense import CompressedDense
from tinyprune.compress.kinds.depthwise import CompressedDepthwiseConv1D, CompressedDepthwiseConv2D
from tinyprune.compress.kinds.gru import CompressedGRU
from tinyprune.compress.kinds.lookup import KERNEL_KINDS
from tinyprune.compress.kinds.lstm import CompressedLSTM
from tinyprune.compress.kinds.mean import CompressedChannelMean, CompressedGroupMean
from tinyprune.compress.kinds.transposed import CompressedConv1DTranspose, CompressedConv2DTranspose

BATCH, FRAMES, BANDS, UNITS = 2, 5, 8, 6
SEQUENCES = np.random.default_rng(0).normal(size=(BATCH, FRAMES, BANDS)).astype(np.float32)
IMAGES = np.random.default_rng(0).normal(size=(BATCH, 7, 6, 4)).astype(np.float32)

#: Compressed layer -> its inputs, and a configuration that uses what it has.
KINDS = {
    CompressedDense: (SEQUENCES, {"units": UNITS}),
    CompressedConv1D: (
        SEQUENCES,
        {"filters": UNITS, "kernel_size": 3, "padding": "causal", "dilation_rate": 2},
    ),
    CompressedConv2D: (
        IMAGES,
        {"filters": UNITS, "kernel_size": (3, 2), "strides": 2, "padding": "same"},
    ),
    CompressedDepthwiseConv1D: (SEQUENCES, {"kernel_size": 3, "depth_multiplier": 2}),
    CompressedDepthwiseConv2D: (
        IMAGES,
        {"kernel_size": 3, "depth_multiplier": 2, "padding": "same"},
    ),
    CompressedConv1DTranspose: (
        SEQUENCES,
        {"filters": UNITS, "kernel_size": 3, "strides": 2, "padding": "same"},
    ),
    CompressedConv2DTranspose: (
        IMAGES,
        {"filters": UNITS, "kernel_size": 3, "strides": 2, "padding": "same"},
    ),
    CompressedChannelMean: (SEQUENCES, {"units": 1}),
    CompressedGroupMean: (SEQUENCES, {"units": BANDS}),
    CompressedLSTM: (SEQUENCES, {"units": UNITS, "return_sequences": True}),
    CompressedCellLSTM: (SEQUENCES, {"units": UNITS, "return_sequences": True}),
    CompressedGRU: (SEQUENCES, {"units": UNITS, "return_sequences": True}),
}
LINEAR = [kind for kind in KINDS if kind not in (CompressedLSTM, CompressedCellLSTM, CompressedGRU)]


def built(kind, **config) -> keras.Layer:
    keras.utils.set_random_seed(0)
    values, usual = KINDS[kind]
    layer = kind(**{**usual, **config})
    layer.build(values.shape)
    if layer.quantized:
        layer.output_quantizer.observe = Observe.EXTREMES
        layer(values)
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


every_kind = pytest.mark.parametrize("kind", KINDS)


def test_every_compressed_layer_is_here():
    assert set(KINDS) == {kind.compressed for kind in KERNEL_KINDS}


@every_kind
@pytest.mark.parametrize("quantized", [True, False], ids=["int8", "float"])
@pytest.mark.parametrize("masked", [True, False], ids=["masked", "dense"])
def test_effective_is_fake_quant_of_mask_times_kernel(kind, masked, quantized):
    layer = built(kind, masked=masked, quantized=quantized)
    masks = random_masks(layer)
    assert list(masks) == (list(kernels(layer)) if masked else [])
    for name, kernel in kernels(layer).items():
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
    gates = np.split(kernels(layer)[name].numpy(), 4, axis=1)
    gates = [
        gate * 10**power for power, gate in enumerate(gates)
    ]  # i, f, g, o, each ten times the one before
    kernels(layer)[name].assign(np.concatenate(gates, axis=1))
    expected = [on_grid(gate, np.abs(gate).max() / 127) for gate in gates]
    np.testing.assert_allclose(layer.effective(name), np.concatenate(expected, axis=1), rtol=1e-4)
    for gate in np.split(layer.effective(name).numpy(), 4, axis=1):
        assert (
            len(np.unique(np.round(gate / np.abs(gate).max() * 127))) > 10
        )  # no gate drowns in another's scale


@pytest.mark.parametrize("masked", [True, False], ids=["masked", "dense"])
def test_a_cell_of_one_product_has_one_scale_for_inputs_and_state(masked):
    limit = 4.0
    layer = built(CompressedCellLSTM, input_limit=limit, masked=masked)
    masks = random_masks(layer)
    names = ("kernel", "recurrent_kernel")
    kernel, recurrent = (kernels(layer)[name].numpy() * masks.get(name, 1) for name in names)
    scale = max(limit * np.abs(kernel).max(), np.abs(recurrent).max()) / 127
    found = {name: layer.effective(name).numpy() for name in names}
    np.testing.assert_allclose(found["kernel"], on_grid(limit * kernel, scale) / limit, rtol=1e-5)
    np.testing.assert_allclose(found["recurrent_kernel"], on_grid(recurrent, scale), rtol=1e-5)


def test_the_inputs_of_one_product_have_the_grid_of_h_times_their_limit():
    layer = built(CompressedCellLSTM, input_limit=2.0)
    on_grid_of_two = np.round(SEQUENCES * 64).clip(-128, 127) / 64
    np.testing.assert_array_equal(layer(SEQUENCES), layer(on_grid_of_two.astype(np.float32)))
    assert (np.abs(SEQUENCES) > 2).any()
    free = built(CompressedCellLSTM, input_limit=2.0, quantized=False)
    assert np.any(np.asarray(free(SEQUENCES)) != free(on_grid_of_two.astype(np.float32)))


@every_kind
@pytest.mark.parametrize("quantized", [True, False], ids=["int8", "float"])
def test_masked_weights_get_no_gradient_and_stay_zero(kind, quantized):
    layer = built(kind, quantized=quantized)
    masks, before = (
        random_masks(layer),
        {name: kernel.numpy() for name, kernel in kernels(layer).items()},
    )
    optimizer = keras.optimizers.Adam(0.1)
    for _ in range(3):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((layer(KINDS[kind][0], training=True) - 0.3) ** 2)
        variables = layer.trainable_variables
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        by_variable = {
            id(variable): gradient.numpy()
            for variable, gradient in zip(variables, gradients, strict=True)
        }
        for name, kernel in kernels(layer).items():
            assert np.all(by_variable[id(kernel)][masks[name] == 0] == 0)
            assert np.any(by_variable[id(kernel)][masks[name] == 1] != 0)
        optimizer.apply(gradients, variables)
    for name, kernel in kernels(layer).items():
        assert np.all(layer.effective(name).numpy()[masks[name] == 0] == 0)
        np.testing.assert_array_equal(
            kernel.numpy()[masks[name] == 0], before[name][masks[name] == 0]
        )
        assert np.all(kernel.numpy()[masks[name] == 1] != before[name][masks[name] == 1])
        np.testing.assert_array_equal(layer.masks[name].numpy(), masks[name])


@every_kind
def test_only_kernels_and_biases_are_trainable(kind):
    layer = built(kind)
    trainable = [variable.name for variable in layer.trainable_variables]
    assert trainable == [*kernels(layer), "bias"]


@every_kind
@pytest.mark.parametrize("use_bias", [True, False], ids=["bias", "no bias"])
def test_without_masks_and_int8_it_is_the_plain_layer(kind, use_bias):
    layer, values = built(kind, masked=False, quantized=False, use_bias=use_bias), KINDS[kind][0]
    config = {
        key: value
        for key, value in layer.get_config().items()
        if key not in ("masked", "quantized")
    }
    plain = kind.plain.from_config(config)
    plain.build(values.shape)
    plain.set_weights([np.random.default_rng(2).normal(size=v.shape) for v in plain.weights])
    for variable, value in zip(layer.trainable_variables, plain.weights, strict=True):
        variable.assign(value)
    np.testing.assert_allclose(layer(values), plain(values), atol=1e-5)


@pytest.mark.parametrize("kind", [CompressedConv1D, CompressedConv2D, CompressedDepthwiseConv2D])
@pytest.mark.parametrize(
    "config", [{"padding": "valid"}, {"padding": "same"}, {"padding": "valid", "dilation_rate": 2}]
)
def test_convolutions_take_the_settings_of_their_layer(kind, config):
    layer = built(kind, masked=False, quantized=False, strides=1, **config, activation="relu")
    plain = kind.plain(**{**KINDS[kind][1], "strides": 1, **config, "activation": "relu"})
    plain.build(KINDS[kind][0].shape)
    plain.set_weights([variable.numpy() for variable in layer.weights])
    np.testing.assert_allclose(layer(KINDS[kind][0]), plain(KINDS[kind][0]), atol=1e-5)


@pytest.mark.parametrize(
    "config", [{"padding": "valid"}, {"padding": "same", "output_padding": 1}, {"strides": 1}]
)
def test_a_transposed_convolution_takes_the_settings_of_its_layer(config):
    layer = built(CompressedConv2DTranspose, masked=False, quantized=False, **config)
    plain = keras.layers.Conv2DTranspose(**{**KINDS[CompressedConv2DTranspose][1], **config})
    plain.build(IMAGES.shape)
    plain.set_weights([variable.numpy() for variable in layer.weights])
    np.testing.assert_allclose(layer(IMAGES), plain(IMAGES), atol=1e-5)


#: The axes that one scale holds for: all but those of the output channels.
SHARED = {
    CompressedDense: (0,),  # (inputs, outputs)
    CompressedConv1D: (0, 1),  # (time, inputs, outputs)
    CompressedConv2D: (0, 1, 2),  # (height, width, inputs, outputs)
    CompressedDepthwiseConv1D: (0,),
    CompressedChannelMean: (0,),
    CompressedGroupMean: (0,),
    CompressedDepthwiseConv2D: (0, 1),  # (height, width, channels, multiplier)
    CompressedConv1DTranspose: (0, 2),  # (time, outputs, inputs)
    CompressedConv2DTranspose: (0, 1, 3),  # (height, width, outputs, inputs)
}


@pytest.mark.parametrize("kind", LINEAR)
def test_there_is_one_scale_per_output_channel(kind):
    layer = built(kind)
    shape = [1 if axis in SHARED[kind] else size for axis, size in enumerate(layer.kernel.shape)]
    sizes = 10 ** np.linspace(0, 5, np.prod(shape)).reshape(
        shape
    )  # each channel larger than the one before
    kernel = layer.kernel.numpy() * np.float32(sizes)
    layer._kernel.assign(kernel) if hasattr(layer, "_kernel") else layer.kernel.assign(kernel)
    expected = on_grid(kernel, np.abs(kernel).max(axis=SHARED[kind], keepdims=True) / 127)
    np.testing.assert_allclose(layer.effective("kernel"), expected, rtol=1e-4)


@every_kind
def test_the_output_of_an_int8_layer_is_that_of_its_effective_weights_on_the_grid_of_its_range(
    kind,
):
    layer, values = built(kind), KINDS[kind][0]
    random_masks(layer)
    plain, quantizer = built(kind, masked=False, quantized=False), layer.output_quantizer
    for name, variable in kernels(plain).items():
        variable.assign(layer.effective(name))
    for observe in (Observe.EXTREMES, Observe.AVERAGE):  # masks have changed the range
        quantizer.observe = observe
        found = layer(values).numpy()
    step = (float(quantizer.high.numpy()) - float(quantizer.low.numpy())) / 255
    np.testing.assert_allclose(found / step, np.round(found / step), atol=2e-2)
    if kind is not CompressedLSTM:  # which feeds its rounded h back
        np.testing.assert_allclose(found, plain(values), atol=1.01 * step)  # at an end of the range
        assert np.mean(np.abs(found - plain(values)) <= 0.51 * step) > 0.95


@every_kind
def test_saliency_is_a_moving_average_of_gradient_times_weight_squared(kind):
    layer = built(kind, salient=True)
    assert list(layer.saliency) == list(kernels(layer))
    expected = {name: np.zeros(kernel.shape) for name, kernel in kernels(layer).items()}
    for step in range(3):
        gradients = {
            name: np.random.default_rng(step).normal(size=kernel.shape).astype(np.float32)
            for name, kernel in kernels(layer).items()
        }
        layer.observe({name: tf.constant(gradient) for name, gradient in gradients.items()})
        for name, kernel in kernels(layer).items():
            change = (gradients[name] * kernel.numpy()) ** 2
            expected[name] = MOMENTUM * expected[name] + (1 - MOMENTUM) * change
    for name, saliency in layer.saliency.items():
        np.testing.assert_allclose(saliency, expected[name], rtol=1e-5)
        assert not saliency.trainable


@every_kind
def test_without_being_asked_for_there_is_no_saliency(kind):
    layer = built(kind)
    assert layer.saliency == {}
    layer.observe({})


def test_lstm_gives_the_last_output_where_no_sequence_is_asked_for():
    whole, last = built(CompressedLSTM), built(CompressedLSTM, return_sequences=False)
    assert last(SEQUENCES).shape == (BATCH, UNITS)
    np.testing.assert_allclose(whole(SEQUENCES)[:, -1], last(SEQUENCES), atol=1e-6)


@pytest.mark.parametrize("name", ["dropout", "recurrent_dropout"])
def test_a_dropout_of_an_lstm_acts_while_learning_only(name):
    layer, plain = built(CompressedLSTM, **{name: 0.5}), built(CompressedLSTM)
    np.testing.assert_array_equal(layer(SEQUENCES), plain(SEQUENCES))
    learned = layer(SEQUENCES, training=True)
    assert np.abs(learned - plain(SEQUENCES, training=True)).max() > 0.01
    assert np.abs(learned - layer(SEQUENCES, training=True)).max() > 0.01


def test_lstm_keeps_the_length_of_a_sequence_in_a_graph():
    """Keras' TimeDistributed runs as many frames as the batch is large where the length is lost."""
    layer = built(CompressedLSTM)
    graph = tf.function(lambda values: layer(values, training=True))
    graph = graph.get_concrete_function(tf.TensorSpec((None, FRAMES, BANDS)))
    assert graph.output_shapes == (None, FRAMES, UNITS)


@pytest.mark.parametrize(
    ("activation", "scale", "zero"),
    [("sigmoid", 1 / 256, 0.0), ("softmax", 1 / 256, 0.0), ("tanh", 1 / 128, 0.0)],
)
def test_outputs_of_bounded_activations_are_on_the_grid_that_tflite_prescribes(
    activation, scale, zero
):
    layer = built(CompressedDense, activation=activation)
    layer.argument.observe = Observe.EXTREMES
    layer(SEQUENCES)
    layer.argument.observe = Observe.AVERAGE
    for _ in range(2):  # training does not move it
        layer(SEQUENCES, training=True)
        steps = (layer(SEQUENCES).numpy() - zero) / scale
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
        assert len(np.unique(np.round(steps))) > 5


def test_probabilities_are_off_their_grid_while_they_are_learned():
    """On it, a class less likely than 1/512 has no probability, and so no gradient that would make it likelier."""
    layer = built(CompressedDense, activation="softmax")
    layer.argument.observe = Observe.EXTREMES
    layer(5 * SEQUENCES)
    layer.argument.observe = Observe.AVERAGE
    learned, deployed = layer(5 * SEQUENCES, training=True).numpy(), layer(5 * SEQUENCES).numpy()
    assert (learned > 0).all()
    assert (deployed == 0).any()
    np.testing.assert_allclose(learned.sum(axis=-1), 1, rtol=1e-5)
    np.testing.assert_allclose(deployed, learned, atol=2 / 256)
    steps = built(CompressedDense, activation="sigmoid")(SEQUENCES, training=True).numpy() * 256
    np.testing.assert_allclose(
        steps, np.round(steps), atol=1e-3
    )  # of others, the grid is learned with


@every_kind
@pytest.mark.parametrize("quantized", [True, False], ids=["int8", "float"])
def test_gates_multiply_kernels_before_the_grid(kind, quantized):
    layer = built(kind, masked=False, quantized=quantized)
    before, rng = layer(KINDS[kind][0]).numpy(), np.random.default_rng(3)
    found = {
        name: rng.uniform(0, 1, (*kernel.shape[:-1], 1)) for name, kernel in kernels(layer).items()
    }
    layer.gates = {name: lambda name=name: tf.constant(found[name], tf.float32) for name in found}
    for name, kernel in kernels(layer).items():
        expected = tf.constant(kernel.numpy() * np.float32(found[name]))
        expected = layer.on_grid(expected) if quantized else expected
        np.testing.assert_allclose(layer.effective(name), expected, rtol=1e-6)
        np.testing.assert_array_equal(layer.deployed()[name], layer.effective(name))
    assert np.abs(layer(KINDS[kind][0]).numpy() - before).max() > 1e-2


@pytest.mark.parametrize(
    ("activation", "fused"), [("linear", True), ("relu", True), ("tanh", False), ("gelu", False)]
)
def test_an_activation_that_is_not_fused_gets_a_grid_for_its_argument(activation, fused):
    layer = built(CompressedDense, activation=activation)
    assert (layer.argument is None) is fused


@pytest.mark.parametrize(
    "function", [keras.layers.LeakyReLU(), keras.layers.ReLU(max_value=3)], ids=["leaky", "clipped"]
)
def test_a_layer_as_an_activation_function_is_not_taken_for_a_fused_one(function):
    layer = built(CompressedDense, activation=function)
    assert layer.argument is not None
    assert not layer.output_quantizer.positive


@pytest.mark.parametrize("activation", ["relu", "relu6"])
def test_the_range_behind_a_relu_begins_at_0(activation):
    assert built(CompressedDense, activation=activation).output_quantizer.positive
    assert not built(CompressedDense).output_quantizer.positive


def test_int8_h_is_on_the_grid_of_its_range():
    layer = built(CompressedLSTM)
    low, high = (
        float(variable.numpy())
        for variable in (layer.output_quantizer.low, layer.output_quantizer.high)
    )
    steps = layer(SEQUENCES).numpy() / ((high - low) / 255)
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-2)
    assert low < 0 < high
