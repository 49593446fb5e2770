"""A small convolutional network for windows of sensors."""

import keras

from tinyprune.models.inputs import Shape, check

MOMENTUM = 0.9  # of batch statistics: a small data set has few steps to find them
#: Channels and stride of each convolution, as multiples of ``filters``.
LAYERS = ((1, 2), (2, 2), (2, 1))


def build(
    inputs: Shape = (64, 6), outputs: int = 4, activation: str = "softmax", filters: int = 32
) -> keras.Model:
    """Conv1D: windows of sensors -> three convolutions over time -> classes, labels or numbers.

    (batch, time, features) -> (batch, outputs). Convolutions of five steps, normalised, the first
    two with a stride of 2; then the mean over time, as Wang et al. 2017, "Time series
    classification from scratch with deep neural networks", arXiv 1611.06455.

    Args:
        inputs: (time, features) of one window.
        outputs: number of classes, labels or numbers.
        activation: of the last layer.
        filters: channels of the first convolution; the others have twice as many.
    """
    check("conv1d", inputs, ("time", "features"))
    windows = keras.Input(inputs, name="windows")
    x = windows
    for number, (factor, stride) in enumerate(LAYERS, 1):
        name = f"conv_{number}"
        x = keras.layers.Conv1D(
            factor * filters, 5, stride, padding="same", use_bias=False, name=name
        )(x)
        x = keras.layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_bn")(x)
        x = keras.layers.ReLU(name=f"{name}_relu")(x)
    x = keras.layers.GlobalAveragePooling1D(name="pool")(x)
    x = keras.layers.Dense(outputs, activation, name="outputs")(x)
    return keras.Model(windows, x, name="conv1d")
