"""MobileNet-V2 for small images: inverted residuals with linear bottlenecks.

Sandler et al. 2018, "MobileNetV2", arXiv 1801.04381. The paper's network for 224 x 224
pixels, cut to 32 x 32 and to what a microcontroller holds: of its table of blocks the first five
rows, each at most twice; the first convolution keeps all pixels and has half of the channels, as
has the first block, which works on all pixels too; 256 channels at the end instead of 1280.
"""

from typing import Any

import keras

from tinyprune.models.inputs import Shape, check

#: Channels of a bottleneck, how often, stride of the first of them. The very first is not expanded.
BLOCKS = ((8, 1, 1), (24, 2, 2), (32, 2, 2), (64, 2, 2), (96, 2, 1))
FIRST, LAST = 16, 256
MULTIPLE = 8  # of what a width is rounded to


def build(
    inputs: Shape = (32, 32, 3),
    outputs: int = 10,
    width: float = 1.0,
    expansion: int = 6,
    activation: str = "softmax",
) -> keras.Model:
    """MobileNet-V2 for small images: images -> probabilities of classes; 334,266 parameters.

    (batch, height, width, channels) -> (batch, classes). 10.5 M multiply-accumulates for 32 x 32
    pixels.

    Args:
        inputs: (height, width, channels) of one image.
        outputs: number of classes.
        width: what all numbers of channels are multiplied by; they are rounded to multiples of 8.
        expansion: how many times more channels a block has inside than at its ends.
        activation: of the last layer.
    """
    check("mobilenet_v2", inputs, ("height", "width", "channels"))
    images = keras.Input(inputs, name="images")
    x = _conv_bn(images, "conv", _scaled(FIRST, width), size=3)
    for number, (channels, repeats, strides) in enumerate(BLOCKS, 1):
        for repeat in range(repeats):
            name = f"block_{number}{'ab'[repeat]}"
            step = strides if repeat == 0 else 1
            factor = 1 if number == 1 else expansion
            x = _block(x, name, _scaled(channels, width), step, factor)
    x = _conv_bn(x, "last", _scaled(LAST, width))
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    probabilities = keras.layers.Dense(
        outputs, activation, kernel_initializer="he_normal", name="classes"
    )(x)
    return keras.Model(images, probabilities, name="mobilenet_v2")


def _block(x: Any, name: str, channels: int, strides: int, expansion: int) -> Any:
    """An inverted residual: wider, one channel at a time, narrow again without an activation.

    The input is added where it has the shape of the output.
    """
    y = x
    input_channels = x.shape[-1]
    if expansion > 1:
        y = _conv_bn(y, f"{name}_expand", expansion * input_channels)
    y = _depthwise(y, f"{name}_depthwise", strides)
    y = _conv_bn(y, f"{name}_project", channels, relu=False)
    if strides == 1 and input_channels == channels:
        y = keras.layers.Add(name=f"{name}_add")([x, y])
    return y


def _conv_bn(x: Any, name: str, channels: int, size: int = 1, relu: bool = True) -> Any:
    options = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}
    x = keras.layers.Conv2D(channels, size, name=name, **options)(x)
    x = keras.layers.BatchNormalization(name=f"{name}_bn")(x)
    return keras.layers.ReLU(6.0, name=f"{name}_relu6")(x) if relu else x


def _depthwise(x: Any, name: str, strides: int) -> Any:
    x = keras.layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False, name=name)(x)
    x = keras.layers.BatchNormalization(name=f"{name}_bn")(x)
    return keras.layers.ReLU(6.0, name=f"{name}_relu6")(x)


def _scaled(channels: int, width: float) -> int:
    return max(MULTIPLE, int(channels * width / MULTIPLE + 0.5) * MULTIPLE)
