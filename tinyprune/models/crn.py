"""CRN: a causal convolutional speech-enhancement network without LSTM, one frame of 16 ms per step.

The encoder-decoder of Tan and Wang 2018 ("A Convolutional Recurrent Neural Network for Real-Time
Speech Enhancement"), with a temporal convolution network in the middle instead of its LSTM (Bai et
al. 2018, arXiv 1803.01271), as an NPU runs convolutions best.
"""

from collections.abc import Sequence

import keras

from tinyprune.errors import UsageError
from tinyprune.models.inputs import Shape, check


def build(
    inputs: Shape = (None, 128),
    outputs: int = 128,
    channels: Sequence[int] = (16, 32, 48, 64),
    hidden: int = 128,
    dilations: Sequence[int] = (1, 2, 4, 8),
    look_back: int = 1,
    activation: str = "sigmoid",
) -> keras.Model:
    """CRN with a temporal convolution network, causal speech enhancement:
    mel features -> mask; 445,360 parameters.

    (batch, frames, bands) -> (batch, frames, outputs), in [0, 1]. 1.0 M multiply-accumulates per
    frame. With the default sizes a frame depends on the 34 before it, half a second.

    Args:
        inputs: (frames, bands) of one sequence of features; frames may be None.
        outputs: bands of the mask.
        channels: of each encoder layer; each halves the bands.
        hidden: channels of the temporal bottleneck.
        dilations: frames between the three taps of each residual block of the bottleneck.
        look_back: past frames that each encoder layer sees.
        activation: of the last layer.

    Raises UsageError if the bands cannot be halved once per encoder layer.
    """
    check("crn", inputs, ("frames", "bands"), free=("frames",))
    bands = int(inputs[1] or 0)
    factor = 2 ** len(channels)
    if bands % factor:
        raise UsageError(
            f"crn halves the bands {len(channels)} times: "
            f"expected a multiple of {factor}, got {bands}"
        )
    features = keras.Input(inputs, name="features")
    skips = []
    x = keras.layers.Reshape((-1, bands, 1), name="bands")(features)
    for number, width in enumerate(channels, 1):
        x = _encoder(x, width, look_back, f"encoder_{number}")
        skips.append(x)
    height, width = bands // factor, channels[-1]
    x = keras.layers.Reshape((-1, height * width), name="flat")(x)
    x = _normalised(keras.layers.Dense(hidden, use_bias=False, name="squeeze")(x), "squeeze")
    for number, dilation in enumerate(dilations, 1):
        x = _residual(x, hidden, dilation, f"temporal_{number}")
    x = _normalised(keras.layers.Dense(height * width, use_bias=False, name="expand")(x), "expand")
    x = keras.layers.Reshape((-1, height, width), name="unflat")(x)
    for number in range(len(channels), 0, -1):
        # Added, not concatenated: what is concatenated has one int8 scale, and a context would be
        # rounded once more.
        x = keras.layers.Add(name=f"decoder_{number}_skip")([x, skips.pop()])
        width = channels[number - 2] if number > 1 else max(1, channels[0] // 4)
        x = _decoder(x, width, f"decoder_{number}")
    x = keras.layers.Reshape((-1, bands * width), name="every_band")(x)
    mask = keras.layers.Dense(outputs, activation=activation, name="mask")(x)
    return keras.Model(features, mask, name="crn")


def _encoder(x: keras.KerasTensor, channels: int, look_back: int, name: str) -> keras.KerasTensor:
    """Half of the bands, from this frame and past ones."""
    x = keras.layers.ZeroPadding2D(((look_back, 0), (0, 1)), name=f"{name}_past")(x)
    x = keras.layers.Conv2D(channels, (look_back + 1, 3), (1, 2), use_bias=False, name=name)(x)
    return _normalised(x, name)


def _decoder(x: keras.KerasTensor, channels: int, name: str) -> keras.KerasTensor:
    """Twice the bands, of this frame alone."""
    x = keras.layers.Conv2DTranspose(
        channels, (1, 3), (1, 2), padding="same", use_bias=False, name=name
    )(x)
    return _normalised(x, name)


def _residual(x: keras.KerasTensor, channels: int, dilation: int, name: str) -> keras.KerasTensor:
    """Three frames, ``dilation`` apart, added to the present one."""
    past = keras.layers.Conv1D(
        channels, 3, padding="causal", dilation_rate=dilation, use_bias=False, name=name
    )(x)
    return keras.layers.Add(name=f"{name}_add")([x, _normalised(past, name)])


def _normalised(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = keras.layers.BatchNormalization(name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)
