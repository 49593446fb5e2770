"""The autoencoder of MLPerf Tiny's anomaly detection, for inputs of any shape."""

import math
from typing import Any

import keras

from tinyprune.errors import UsageError
from tinyprune.models.inputs import Shape

MOMENTUM = 0.9  # of batch statistics: a small data set has few steps to find them
SIDE = 4  # layers before the bottleneck, and as many after it


def build(
    inputs: Shape = (640,),
    outputs: int = 640,
    activation: str = "linear",
    units: int = 128,
    bottleneck: int = 8,
) -> keras.Model:
    """Autoencoder of MLPerf Tiny, anomaly detection: 640-128x4-8-128x4-640; 269,992 parameters.

    (batch, ...) -> (batch, ...), the same shape. An input with several axes is laid out as one row
    and brought back. Every layer but the last is normalised. Banbury et al. 2021, "MLPerf Tiny
    Benchmark", arXiv 2106.07597; the network is the baseline of DCASE 2020, task 2 (Koizumi et al.,
    arXiv 2006.05822). Of the parameters 267,928 are trainable.

    Args:
        inputs: shape of one example.
        outputs: last axis of it.
        activation: of the last layer.
        units: neurons of the layers on both sides.
        bottleneck: neurons in the middle.
    """
    sizes = [length for length in inputs if length]
    if len(sizes) < len(inputs) or inputs[-1] != outputs:
        raise UsageError(
            f"autoencoder gives back what it takes: inputs of shape {tuple(inputs)} "
            f"do not go with {outputs} outputs"
        )
    features = keras.Input(inputs, name="features")
    x: Any = features
    if len(sizes) > 1:
        x = keras.layers.Flatten(name="flat")(x)
    for number in range(1, SIDE + 1):
        x = _hidden(x, f"encoder_{number}", units)
    x = _hidden(x, "bottleneck", bottleneck)
    for number in range(1, SIDE + 1):
        x = _hidden(x, f"decoder_{number}", units)
    x = keras.layers.Dense(math.prod(sizes), activation, name="outputs")(x)
    if len(sizes) > 1:
        x = keras.layers.Reshape(inputs, name="shaped")(x)
    return keras.Model(features, x, name="autoencoder")


def _hidden(x: Any, name: str, units: int) -> Any:
    x = keras.layers.Dense(units, name=name)(x)
    x = keras.layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_bn")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)
