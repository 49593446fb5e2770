import keras
import numpy as np
import pytest
import tensorflow as tf

from tinyprune.compress.gate_functions import gate_functions
from tinyprune.compress.gru_recurrence import GRURecurrence

FRAMES, BATCH, BANDS, UNITS = 7, 3, 8, 6
LOW, HIGH = -0.5, 0.75

forms = pytest.mark.parametrize("reset_after", [True, False], ids=["after", "before"])


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


PROJECTED, RECURRENT = random(FRAMES, BATCH, 3 * UNITS), random(UNITS, 3 * UNITS, seed=1)
UPSTREAM, BIAS = random(FRAMES, BATCH, UNITS, seed=2), random(3 * UNITS, seed=6)
DROPOUT = np.random.default_rng(5).choice([0.0, 2.0], (BATCH, UNITS)).astype(np.float32)


def on_grid(h: tf.Tensor) -> tf.Tensor:
    quantized = tf.quantization.fake_quant_with_min_max_vars(h, LOW, HIGH)
    return h + tf.stop_gradient(quantized - h)


def by_the_book(reset_after, quantize, factors, projected, recurrent, bias):
    """The GRU one step after the other, differentiated by TensorFlow."""
    h, outputs = tf.zeros((BATCH, UNITS)), []
    for t in range(FRAMES):
        read = quantize(h) * factors
        x_z, x_r, x_n = tf.split(projected[t], 3, axis=1)
        r_z, r_r, r_n = tf.split(recurrent, 3, axis=1)
        b_z, b_r, b_n = tf.split(bias, 3) if reset_after else (0.0, 0.0, 0.0)
        z, r = tf.sigmoid(x_z + read @ r_z + b_z), tf.sigmoid(x_r + read @ r_r + b_r)
        inner = r * (read @ r_n + b_n) if reset_after else (quantize(r * h) * factors) @ r_n
        h = z * h + (1 - z) * tf.tanh(x_n + inner)
        outputs.append(quantize(h))
    return tf.stack(outputs)


def with_gradients(function, *values: np.ndarray) -> list[np.ndarray]:
    tensors = [tf.constant(value) for value in values]
    with tf.GradientTape() as tape:
        for tensor in tensors:
            tape.watch(tensor)
        outputs = function(*tensors)
        loss = tf.reduce_sum(outputs * UPSTREAM)
    unconnected = tf.UnconnectedGradients.ZERO
    return [outputs, *tape.gradient(loss, tensors, unconnected_gradients=unconnected)]


@forms
@pytest.mark.parametrize("is_int8", [False, True], ids=["float", "int8"])
@pytest.mark.parametrize("factors", [None, DROPOUT], ids=["whole", "dropout"])
def test_outputs_and_gradients_are_those_of_the_book(reset_after, is_int8, factors):
    h_range = (tf.constant(LOW), tf.constant(HIGH)) if is_int8 else None
    loop = GRURecurrence(reset_after, h_range, factors)
    quantize = on_grid if is_int8 else tf.identity
    kept = 1.0 if factors is None else factors

    def book(*values):
        return by_the_book(reset_after, quantize, kept, *values)

    values = (PROJECTED, RECURRENT, BIAS)
    for mine, theirs in zip(
        with_gradients(loop.run, *values), with_gradients(book, *values), strict=True
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)
    assert np.abs(with_gradients(loop.run, *values)[3]).any() == reset_after


@forms
@pytest.mark.parametrize("recurrent_activation", ["sigmoid", "hard_sigmoid"])
@pytest.mark.parametrize("activation", ["tanh", "hard_tanh"])
def test_outputs_and_all_gradients_are_those_of_keras(
    activation, recurrent_activation, reset_after
):
    layer = keras.layers.GRU(
        UNITS,
        activation=activation,
        recurrent_activation=recurrent_activation,
        recurrent_initializer=keras.initializers.RandomNormal(stddev=1.0, seed=0),
        return_sequences=True,
        reset_after=reset_after,
    )
    sequences = random(BATCH, FRAMES, BANDS, seed=3)
    layer.build(sequences.shape)
    layer.cell.bias.assign(random(*layer.cell.bias.shape, seed=4))
    weights = [variable.value for variable in layer.trainable_variables]

    def ours(inputs: tf.Tensor) -> tf.Tensor:
        kernel, recurrent, bias = weights
        rows = tf.reshape(bias, (-1, 3 * UNITS))
        projected = tf.tensordot(tf.transpose(inputs, (1, 0, 2)), kernel, 1) + rows[0]
        loop = GRURecurrence(reset_after, functions=gate_functions(layer))
        outputs = loop.run(projected, recurrent, rows[1] if reset_after else None)
        return tf.transpose(outputs, (1, 0, 2))

    found = []
    for function in (layer, ours):
        inputs = tf.constant(sequences)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = function(inputs)
            loss = tf.reduce_sum(outputs * UPSTREAM.transpose(1, 0, 2))
        found.append([outputs, *tape.gradient(loss, [inputs, *weights])])
    assert len(found[0]) == 1 + 1 + 3
    for theirs, mine in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


@forms
def test_without_training_it_is_the_same_for_any_number_of_frames(reset_after):
    loop = GRURecurrence(reset_after, (tf.constant(LOW), tf.constant(HIGH)))
    whole = loop.run(PROJECTED, RECURRENT, BIAS)
    signature = [tf.TensorSpec((None, None, 3 * UNITS))]
    run = tf.function(
        lambda projected: loop.run(projected, RECURRENT, BIAS, training=False),
        input_signature=signature,
    )
    for frames in (1, 4):
        np.testing.assert_allclose(run(PROJECTED[:frames]), whole[:frames], atol=1e-6)
