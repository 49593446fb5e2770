"""ResNet-8: the image-classification network of MLPerf Tiny.

Banbury et al. 2021, "MLPerf Tiny Benchmark", arXiv 2106.07597. A ResNet v1 (He et al. 2016)
of three stacks with one residual block each. The benchmark's L2 penalty on the kernels is left out:
it belongs to the loss, and the fit loop adds none of a layer.
"""

from typing import Any

import keras

from tinyprune.models.inputs import Shape, check


def build(
    inputs: Shape = (32, 32, 3), outputs: int = 10, filters: int = 16, activation: str = "softmax"
) -> keras.Model:
    """ResNet-8 of MLPerf Tiny, CIFAR-10: images -> probabilities of classes; 78,666 parameters.

    (batch, height, width, channels) -> (batch, classes). Of the parameters 78,186 are trainable.

    Args:
        inputs: (height, width, channels) of one image.
        outputs: number of classes.
        filters: channels of the first stack; the second has twice, the third four times as many.
        activation: of the last layer.
    """
    check("resnet8", inputs, ("height", "width", "channels"))
    images = keras.Input(inputs, name="images")
    x = keras.layers.ReLU(name="conv_relu")(_conv_bn(images, "conv", filters))
    for stack in (1, 2, 3):
        x = _stack(x, f"stack_{stack}", filters * 2 ** (stack - 1), strides=1 if stack == 1 else 2)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    probabilities = keras.layers.Dense(
        outputs, activation, kernel_initializer="he_normal", name="classes"
    )(x)
    return keras.Model(images, probabilities, name="resnet8")


def _stack(x: Any, name: str, filters: int, strides: int) -> Any:
    """Two 3x3 convolutions beside the identity, or beside a 1x1 one where the shape changes."""
    y = _conv_bn(x, f"{name}_conv_1", filters, strides)
    y = keras.layers.ReLU(name=f"{name}_conv_1_relu")(y)
    y = _conv_bn(y, f"{name}_conv_2", filters)
    if strides > 1:
        x = _conv(x, f"{name}_projection", filters, strides, size=1)
    x = keras.layers.Add(name=f"{name}_add")([x, y])
    return keras.layers.ReLU(name=f"{name}_relu")(x)


def _conv_bn(x: Any, name: str, filters: int, strides: int = 1) -> Any:
    return keras.layers.BatchNormalization(name=f"{name}_bn")(_conv(x, name, filters, strides))


def _conv(x: Any, name: str, filters: int, strides: int = 1, size: int = 3) -> Any:
    return keras.layers.Conv2D(
        filters, size, strides, padding="same", kernel_initializer="he_normal", name=name
    )(x)
