import keras
import numpy as np
import tensorflow as tf

from tinyprune.compress.fold import fold
from tinyprune.compress.kinds.attention import UNSEEN, HeadAttention
from tinyprune.compress.levels import with_levels
from tinyprune.compress.prepare import calibrate, prepare

L = keras.layers
#: One head of one channel: scores are products of two numbers.
QUERIES = np.float32([[[1], [2], [0]]])
KEYS = np.float32([[[3], [-1], [5]]])
VALUES = np.float32([[[10], [20], [30]]])


def test_each_frame_sees_itself_and_those_before_it():
    """Scores are 3; 6, -2; 0, 0, 0: the last frame takes the mean of all values."""
    made = HeadAttention(1, 1, causal=True)(QUERIES, KEYS, VALUES)
    share = 1 / (1 + np.exp(-2 - 6))  # of the first value in the second frame
    np.testing.assert_allclose(np.ravel(made), [10, 10 * share + 20 * (1 - share), 20], rtol=1e-6)


def test_on_int8_grids_what_is_not_seen_is_the_0_of_a_relu():
    layer = HeadAttention(1, 1, causal=True, quantized=True)
    for grid in (*layer._grids, layer._largest):
        grid.observe = type(grid.observe).EXTREMES
    layer(QUERIES, KEYS, VALUES)
    # The largest scores that the frames see are 3, 6 and 0, the largest of all is 10.
    assert layer.measured_levels() == (0, 10)
    assert float(layer._largest.high.value) == 6
    for grid in (*layer._grids, layer._largest):
        grid.observe = type(grid.observe).AVERAGE
    scores = tf.constant([[[[3.0, -1, 5], [6, -2, 10], [0, 0, 0]]]])
    raised = layer._of_the_past(scores, training=False)[0, 0].numpy()
    step = (6 + UNSEEN) / 255
    np.testing.assert_array_equal(raised[np.triu_indices(3, 1)], 0)
    np.testing.assert_allclose(raised[np.tril_indices(3)], [11, 14, 6, 8, 8, 8], atol=step / 2)


def test_levels_are_measured_for_the_export_and_change_next_to_nothing():
    keras.utils.set_random_seed(0)
    values = np.random.default_rng(0).normal(size=(16, 10, 8)).astype(np.float32)
    inputs = keras.Input((10, 8))
    attention = L.MultiHeadAttention(2, 4, name="a")
    model = fold(keras.Model(inputs, attention(inputs, inputs, use_causal_mask=True)))
    raised = with_levels(model, values)
    lowest, highest = raised.get_layer("a_causal_heads").levels
    assert lowest <= 0 < highest
    # Nine frames that are not seen have e^-8 of the largest at most.
    np.testing.assert_allclose(raised(values), model(values), atol=9 * np.exp(-UNSEEN) * 4)


def test_without_a_mask_nothing_is_measured():
    inputs = keras.Input((10, 8))
    model = fold(keras.Model(inputs, L.MultiHeadAttention(2, 4)(inputs, inputs)))
    assert with_levels(model, np.zeros((1, 10, 8), np.float32)) is model


def test_scores_of_a_few_frames_that_are_large_do_not_take_the_grid_from_the_others():
    """A causal attention on int8 grids is as near to the float one as one to all frames."""
    keras.utils.set_random_seed(0)
    values = np.random.default_rng(0).normal(size=(16, 12, 8)).astype(np.float32)
    inputs = keras.Input((12, 8))
    attention = L.MultiHeadAttention(2, 4)
    errors = {}
    for past in (False, True):
        model = fold(keras.Model(inputs, attention(inputs, inputs, use_causal_mask=past)))
        prepared = prepare(model)
        calibrate(prepared, [values])
        error = prepared(values) - model(values)
        errors[past] = np.sqrt(np.mean(error**2) / np.mean(model(values) ** 2))
    assert errors[True] < 0.05
    assert errors[True] < 1.5 * errors[False]
