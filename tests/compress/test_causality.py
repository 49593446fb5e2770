"""What cannot run frame by frame is named; the forms that can are in test_streaming.py."""

import keras
import numpy as np
import pytest
from keras import layers

from tinyprune.compress.streaming import streaming
from tinyprune.errors import UsageError

BANDS = 16

SEQUENCE, IMAGE = (None, BANDS), (None, BANDS, 2)
PAST = layers.ZeroPadding1D((2, 0))
WRONG = {
    "same": (IMAGE, [layers.Conv2D(2, 3, padding="same", name="bad")], "looks ahead"),
    "same 1-D": (SEQUENCE, [layers.Conv1D(2, 3, padding="same", name="bad")], "looks ahead"),
    "padding at the end": (SEQUENCE, [layers.ZeroPadding1D((1, 1), name="bad")], "looks ahead"),
    "padding of images": (IMAGE, [layers.ZeroPadding2D(1, name="bad")], "looks ahead"),
    "stride": (IMAGE, [layers.Conv2D(2, (1, 3), (2, 1), name="bad")], "stride in time"),
    "stride of causal": (
        SEQUENCE,
        [layers.Conv1D(2, 2, 2, padding="causal", name="bad")],
        "stride in time",
    ),
    "pooling": (IMAGE, [layers.MaxPooling2D(2, name="bad")], "stride in time"),
    "valid": (SEQUENCE, [layers.Conv1D(2, 3, name="bad")], "sees 2 past frames"),
    "too little": (SEQUENCE, [PAST, layers.Conv1D(2, 4, name="bad")], "sees 3 past frames"),
    "twice": (SEQUENCE, [PAST, layers.ZeroPadding1D((1, 0), name="bad")], "window of 3 frames"),
    "lstm of a window": (
        SEQUENCE,
        [PAST, layers.LSTM(2, return_sequences=True, name="bad")],
        "window of 3 frames",
    ),
    "transposed": (
        IMAGE,
        [layers.Conv2DTranspose(2, (2, 3), padding="same", name="bad")],
        "spreads a frame",
    ),
    "upsampling": (IMAGE, [layers.UpSampling2D(2, name="bad")], "repeats frames"),
    "flatten": ((4, BANDS), [layers.Flatten(name="bad")], "axis of time"),
    "global pooling": (SEQUENCE, [layers.GlobalAveragePooling1D(name="bad")], "axis of time"),
    "reshape": ((4, BANDS), [layers.Reshape((8, -1), name="bad")], "axis of time"),
    "permute": ((4, BANDS), [layers.Permute((2, 1), name="bad")], "axis of time"),
    "softmax": (SEQUENCE, [layers.Softmax(axis=1, name="bad")], "axis of time"),
    "backwards": (
        SEQUENCE,
        [layers.LSTM(2, return_sequences=True, go_backwards=True, name="bad")],
        "backwards",
    ),
    "last": (SEQUENCE, [layers.LSTM(2, name="bad")], "axis of time"),
    "bidirectional": (
        SEQUENCE,
        [layers.Bidirectional(layers.LSTM(2, return_sequences=True), name="bad")],
        "runs backwards too",
    ),
    "rnn": (
        SEQUENCE,
        [layers.RNN(layers.SimpleRNNCell(2), return_sequences=True, name="bad")],
        "may mix frames",
    ),
    "simple rnn": (
        SEQUENCE,
        [layers.SimpleRNN(2, return_sequences=True, name="bad")],
        "whose steps are written out",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_mixes_frames_is_named(case):
    shape, stack, reason = WRONG[case]
    with pytest.raises(
        UsageError, match=rf"^layer 'bad' .* cannot run frame by frame: .*{reason}"
    ) as caught:
        streaming(keras.Sequential([keras.Input(shape), *stack]))
    assert "\n" not in str(caught.value)


def test_concatenation_in_time_and_attention_are_named():
    x = keras.Input(SEQUENCE)
    for layer, given in (
        (layers.Concatenate(axis=1, name="bad"), [x, x]),
        (layers.Attention(name="bad"), [x, x]),
    ):
        with pytest.raises(UsageError, match="^layer 'bad' "):
            streaming(keras.Model(x, layer(given)))


def test_padding_that_nothing_uses_up():
    model = keras.Sequential([keras.Input(SEQUENCE), layers.ZeroPadding1D((2, 0))], name="long")
    with pytest.raises(UsageError, match=r"^model 'long' makes 3 frames of one"):
        streaming(model)


def test_several_inputs():
    x, y = keras.Input(SEQUENCE), keras.Input(SEQUENCE)
    with pytest.raises(UsageError, match=r"^model 'two' has several inputs"):
        streaming(keras.Model([x, y], layers.Add()([x, y]), name="two"))


def test_operations_without_layers():
    x = keras.Input(SEQUENCE)
    y = keras.ops.concatenate([keras.ops.relu(x * 2), keras.ops.clip(x, 0, 1)], axis=-1)
    assert streaming(keras.Model(x, layers.Conv1D(2, 3, padding="causal", name="past")(y)))[1][
        0
    ].shape == (1, 2, 32)
    for wrong in (
        keras.ops.concatenate([x, x], axis=1),
        keras.ops.cumsum(x, axis=1),
        keras.ops.flip(x, axis=1),
    ):
        with pytest.raises(UsageError, match=r"^layer '.*' .* cannot run frame by frame"):
            streaming(keras.Model(x, wrong))


class Louder(keras.layers.Layer):
    """A layer of a user's own."""

    def call(self, x):
        return 2 * x


def test_a_layer_of_ones_own_is_taken_to_work_frame_by_frame():
    x = keras.Input(SEQUENCE)
    model = keras.Model(x, layers.Conv1D(2, 3, padding="causal", name="past")(Louder()(x)))
    stream, contexts = streaming(model)
    assert [context.name for context in contexts] == ["past"]
    frame, past = np.ones((1, 1, BANDS), np.float32), np.ones((1, 2, BANDS), np.float32)
    np.testing.assert_allclose(
        stream([frame, 2 * past])[0][0, 0], model(np.ones((1, 3, BANDS)))[0, 2], rtol=1e-5
    )
