"""DS-CNN: keyword spotting with depthwise-separable convolutions.

Zhang et al. 2017, "Hello Edge", arXiv 1711.07128. ``build`` is
the network of the keyword-spotting benchmark of MLPerf Tiny (Banbury et al. 2021, arXiv
2106.07597), ``large`` has the sizes and strides of the paper's DS-CNN-L. The benchmark's L2 penalty
on the kernels is left out.
"""

from typing import Any

import keras

from tinyprune.models.inputs import Shape, check

Strides = tuple[int, int]


def build(
    inputs: Shape = (49, 10, 1),
    outputs: int = 12,
    channels: int = 64,
    blocks: int = 4,
    strides: Strides = (2, 2),
    block_strides: Strides = (1, 1),
    activation: str = "softmax",
) -> keras.Model:
    """DS-CNN of MLPerf Tiny, keyword spotting: MFCC -> probabilities of words; 24,908 parameters.

    (batch, frames, coefficients, channels) -> (batch, words). Of the parameters 23,756 are
    trainable.

    Args:
        inputs: (frames, coefficients, channels) of one input.
        outputs: number of words.
        channels: of the first convolution and of every block.
        blocks: depthwise-separable blocks.
        strides: (frames, coefficients) of the first convolution.
        block_strides: (frames, coefficients) of the depthwise convolution of the first block.
        activation: of the last layer.
    """
    check("ds_cnn", inputs, ("frames", "coefficients", "channels"))
    features = keras.Input(inputs, name="features")
    x = keras.layers.Conv2D(channels, (10, 4), strides, padding="same", name="conv")(features)
    x = _bn_relu(x, "conv")
    x = keras.layers.Dropout(0.2, name="conv_dropout")(x)
    for block in range(1, blocks + 1):
        name = f"block_{block}_depthwise"
        step = block_strides if block == 1 else (1, 1)
        x = keras.layers.DepthwiseConv2D(3, step, padding="same", name=name)(x)
        x = _bn_relu(x, name)
        name = f"block_{block}_pointwise"
        x = keras.layers.Conv2D(channels, 1, padding="same", name=name)(x)
        x = _bn_relu(x, name)
    x = keras.layers.Dropout(0.4, name="dropout")(x)
    x = keras.layers.AveragePooling2D(_pool(inputs, strides, block_strides), name="pool")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    probabilities = keras.layers.Dense(outputs, activation=activation, name="words")(x)
    return keras.Model(features, probabilities, name="ds_cnn")


def large(
    inputs: Shape = (49, 10, 1),
    outputs: int = 12,
    channels: int = 276,
    blocks: int = 5,
    activation: str = "softmax",
) -> keras.Model:
    """DS-CNN-L of Zhang et al. 2017, keyword spotting:
    MFCC -> probabilities of words; 422,844 parameters.

    As :func:`build`; the first convolution keeps all coefficients, the first block halves frames
    and coefficients.
    """
    return build(
        inputs,
        outputs,
        channels,
        blocks,
        strides=(2, 1),
        block_strides=(2, 2),
        activation=activation,
    )


def _bn_relu(x: Any, name: str) -> Any:
    x = keras.layers.BatchNormalization(name=f"{name}_bn")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)


def _pool(inputs: Shape, strides: Strides, block_strides: Strides) -> Strides:
    """Size of the last pool: as in the benchmark, 49 // 2 = 24 of the 25 frames are averaged."""
    rows = int(inputs[0] or 1) // (strides[0] * block_strides[0])
    columns = int(inputs[1] or 1) // (strides[1] * block_strides[1])
    return max(1, rows), max(1, columns)
