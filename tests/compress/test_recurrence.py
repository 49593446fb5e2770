import keras
import numpy as np
import pytest
import tensorflow as tf

from tinyprune.compress.gate_functions import SOFT, GateFunctions, gate_functions
from tinyprune.compress.recurrence import lstm

FRAMES, BATCH, BANDS, UNITS = 7, 3, 8, 6
LOW, HIGH = -0.5, 0.75


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


PROJECTED, RECURRENT = random(FRAMES, BATCH, 4 * UNITS), random(UNITS, 4 * UNITS, seed=1)
UPSTREAM = random(FRAMES, BATCH, UNITS, seed=2)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def on_grid(h: np.ndarray) -> np.ndarray:
    scale = (HIGH - LOW) / 255
    zero_point = np.round(-LOW / scale)
    return scale * (np.clip(np.round(h / scale) + zero_point, 0, 255) - zero_point)


def loop(quantize) -> np.ndarray:
    """The LSTM as in the book, one step after the other, in float64."""
    h, c, outputs = np.zeros((BATCH, UNITS)), np.zeros((BATCH, UNITS)), []
    for projected in PROJECTED.astype(np.float64):
        i, f, g, o = np.split(projected + h @ RECURRENT, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = quantize(sigmoid(o) * np.tanh(c))
        outputs.append(h)
    return np.array(outputs)


def straight_through(projected: tf.Tensor, recurrent: tf.Tensor) -> tf.Tensor:
    """The same loop with int8 h, differentiated by TensorFlow."""
    h, c, outputs = tf.zeros((BATCH, UNITS)), tf.zeros((BATCH, UNITS)), []
    for t in range(FRAMES):
        i, f, g, o = tf.split(projected[t] + h @ recurrent, 4, axis=1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        h += tf.stop_gradient(tf.quantization.fake_quant_with_min_max_vars(h, LOW, HIGH) - h)
        outputs.append(h)
    return tf.stack(outputs)


def gradients(function, *values: np.ndarray) -> list[np.ndarray]:
    tensors = [tf.constant(value) for value in values]
    with tf.GradientTape() as tape:
        for tensor in tensors:
            tape.watch(tensor)
        loss = tf.reduce_sum(function(*tensors) * UPSTREAM)
    return [gradient.numpy() for gradient in tape.gradient(loss, tensors)]


@pytest.mark.parametrize("recurrent_activation", ["sigmoid", "hard_sigmoid"])
@pytest.mark.parametrize("activation", ["tanh", "hard_tanh"])
def test_outputs_and_all_gradients_are_those_of_keras(activation, recurrent_activation):
    keras.utils.set_random_seed(0)
    layer = keras.layers.LSTM(
        UNITS,
        activation=activation,
        recurrent_activation=recurrent_activation,
        recurrent_initializer=keras.initializers.RandomNormal(stddev=1.0),
        return_sequences=True,
    )
    sequences, weight = random(BATCH, FRAMES, BANDS, seed=3), UPSTREAM.transpose(1, 0, 2)
    layer.build(sequences.shape)
    layer.cell.bias.assign(random(4 * UNITS, seed=4))
    weights = [variable.value for variable in layer.trainable_variables]

    def ours(inputs: tf.Tensor) -> tf.Tensor:
        kernel, recurrent, bias = weights
        projected = tf.tensordot(tf.transpose(inputs, (1, 0, 2)), kernel, 1) + bias
        outputs = lstm(projected, recurrent, functions=gate_functions(layer))
        return tf.transpose(outputs, (1, 0, 2))

    found = []
    for function in (layer, ours):
        inputs = tf.constant(sequences)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = function(inputs)
            loss = tf.reduce_sum(outputs * weight)
        found.append([outputs, *tape.gradient(loss, [inputs, *weights])])
    assert (
        len(found[0]) == 1 + 1 + 3
    )  # outputs; gradients of inputs; of kernel, recurrent kernel, bias
    for theirs, mine in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


HARD = GateFunctions(hard_gates=True, hard_values=True)


def test_hard_functions_are_straight_lines_that_are_cut_off():
    x = np.array([-4, -3, -1.5, -1, 0, 0.5, 1, 3, 4], np.float32)
    np.testing.assert_allclose(
        HARD.gate(x), [0, 0, 0.25, 1 / 3, 0.5, 7 / 12, 2 / 3, 1, 1], atol=1e-6
    )
    np.testing.assert_allclose(HARD.value(x), [-1, -1, -1, -1, 0, 0.5, 1, 1, 1])


@pytest.mark.parametrize("functions", [SOFT, HARD], ids=["soft", "hard"])
def test_slopes_are_derivatives(functions):
    x = tf.constant([-4, -2, -0.75, 0.25, 0.5, 2.5, 4])
    pairs = ((functions.gate, functions.gate_slope), (functions.value, functions.value_slope))
    for function, slope in pairs:
        with tf.GradientTape() as tape:
            tape.watch(x)
            made = function(x)
        np.testing.assert_allclose(slope(made), tape.gradient(made, x), atol=1e-6)


@pytest.mark.parametrize(
    ("bounds", "quantize"), [(None, lambda h: h), ((LOW, HIGH), on_grid)], ids=["float", "int8"]
)
def test_outputs_are_those_of_a_plain_loop(bounds, quantize):
    np.testing.assert_allclose(lstm(PROJECTED, RECURRENT, bounds), loop(quantize), atol=1e-5)


def test_int8_outputs_are_on_their_grid_and_differ_from_float():
    steps = lstm(PROJECTED, RECURRENT, (LOW, HIGH)).numpy() / ((HIGH - LOW) / 255)
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
    assert np.abs(loop(on_grid) - loop(lambda h: h)).max() > 1e-3


def test_gradients_pass_the_int8_grid_straight_through():
    ours = gradients(lambda *values: lstm(*values, (LOW, HIGH)), PROJECTED, RECURRENT)
    for mine, theirs in zip(ours, gradients(straight_through, PROJECTED, RECURRENT), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


def test_any_number_of_frames_in_one_graph():
    run = tf.function(
        lstm,
        input_signature=[tf.TensorSpec((None, None, 4 * UNITS)), tf.TensorSpec((UNITS, 4 * UNITS))],
    )
    whole = run(PROJECTED, RECURRENT)
    for frames in (1, 4):
        np.testing.assert_allclose(run(PROJECTED[:frames], RECURRENT), whole[:frames], atol=1e-6)


def test_a_dropout_of_the_state_is_in_outputs_and_gradients():
    factors = np.random.default_rng(5).choice([0.0, 2.0], (BATCH, UNITS)).astype(np.float32)

    def by_tensorflow(projected: tf.Tensor, recurrent: tf.Tensor) -> tf.Tensor:
        h, c, outputs = tf.zeros((BATCH, UNITS)), tf.zeros((BATCH, UNITS)), []
        for t in range(FRAMES):
            i, f, g, o = tf.split(projected[t] + (h * factors) @ recurrent, 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            outputs.append(h)
        return tf.stack(outputs)

    def ours(projected: tf.Tensor, recurrent: tf.Tensor) -> tf.Tensor:
        return lstm(projected, recurrent, dropout=tf.constant(factors))

    np.testing.assert_allclose(
        ours(PROJECTED, RECURRENT), by_tensorflow(PROJECTED, RECURRENT), atol=1e-6
    )
    found, expected = (gradients(run, PROJECTED, RECURRENT) for run in (ours, by_tensorflow))
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
