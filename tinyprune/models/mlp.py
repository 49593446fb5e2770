"""MLP: layers of neurons for features without any order."""

import keras

from tinyprune.models.inputs import Shape, check

MOMENTUM = 0.9  # of batch statistics: a small data set has few steps to find them


def build(
    inputs: Shape = (32,), outputs: int = 4, activation: str = "softmax", units: int = 64
) -> keras.Model:
    """MLP: features -> two hidden layers of 64 neurons -> classes, labels or numbers.

    (batch, features) -> (batch, outputs). Each hidden layer is normalised (Ioffe and Szegedy 2015,
    "Batch Normalization", arXiv 1502.03167).

    Args:
        inputs: (features,) of one example.
        outputs: number of classes, labels or numbers.
        activation: of the last layer.
        units: neurons of each hidden layer.
    """
    check("mlp", inputs, ("features",))
    features = keras.Input(inputs, name="features")
    x = features
    for number in (1, 2):
        x = keras.layers.Dense(units, use_bias=False, name=f"hidden_{number}")(x)
        x = keras.layers.BatchNormalization(momentum=MOMENTUM, name=f"hidden_{number}_bn")(x)
        x = keras.layers.ReLU(name=f"hidden_{number}_relu")(x)
    x = keras.layers.Dense(outputs, activation, name="outputs")(x)
    return keras.Model(features, x, name="mlp")
