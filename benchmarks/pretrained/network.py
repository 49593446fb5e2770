"""The network that comes with tinyprune as float32, to train it on: that of an int8 graph, with its weights.

What was removed stays away; what was masked may come back.
"""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.device import frontend_of, record_beside
from tinyprune.audio.frontend import FrontEnd
from tinyprune.models.inputs import Shape
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.graph import Operator, Tensor

UNITS = (64, 96)
HIDDEN = 128
#: Inputs of TFLite's LSTM, gates in the order i, f, g, o, which is that of Keras.
INPUT_KERNELS, RECURRENT_KERNELS, BIASES = range(1, 5), range(5, 9), range(12, 16)
Weights = list[Float32Array]


def build(inputs: Shape = (None, 128), outputs: int = 128) -> keras.Model:
    """Return TinyLSTM with the units that pruning left: mel features -> mask; 140,160 parameters."""
    features = keras.Input(inputs, name="features")
    x = features
    for number, units in enumerate(UNITS, start=1):
        x = keras.layers.LSTM(units, return_sequences=True, name=f"lstm_{number}")(x)
    x = keras.layers.Dense(HIDDEN, activation="relu", name="dense")(x)
    mask = keras.layers.Dense(outputs, activation="sigmoid", name="mask")(x)
    return keras.Model(features, mask, name="tinylstm")


def with_weights_of(graph: Path, frontend: FrontEnd) -> keras.Model:
    """Return the network with the weights of an int8 graph, for features of another front end.

    Features are ``(m - mean) / std``: where mean and std are others, the first kernel is scaled and
    the first bias shifted, so that the same sound gives the same mask.
    """
    weights = [
        kernel for operator in flatbuffer.read(graph).operators for kernel in _weights(operator)
    ]
    before = frontend_of(record_beside(graph))
    ratio = np.array(frontend.std) / np.array(before.std)
    shift = (np.array(frontend.mean) - np.array(before.mean)) / np.array(before.std)
    weights[2] = weights[2] + shift @ weights[0]
    weights[0] = weights[0] * ratio[:, None]
    model = build()
    model.set_weights(weights)
    return model


def _weights(operator: Operator) -> Iterator[Float32Array]:
    """Yield the weights of an operator as Keras has them: kernels (inputs, outputs), then the bias."""
    if operator.name == "UNIDIRECTIONAL_SEQUENCE_LSTM":
        for kernels in (INPUT_KERNELS, RECURRENT_KERNELS):
            yield np.concatenate([_floats(operator.inputs[number]).T for number in kernels], axis=1)
        yield np.concatenate([_floats(operator.inputs[number]) for number in BIASES])
    if operator.name == "FULLY_CONNECTED":
        yield _floats(operator.inputs[1]).T
        yield _floats(operator.inputs[2])


def _floats(tensor: Tensor | None) -> Float32Array:
    """Return the values of a constant tensor, of one scale or one per row."""
    assert tensor is not None
    scale = np.asarray(tensor.scale, np.float64)
    rows = scale.reshape(-1, *[1] * (tensor.values.ndim - 1)) if len(scale) > 1 else scale
    return np.asarray(tensor.values * rows, np.float32)
