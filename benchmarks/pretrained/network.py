"""The network that comes with tinyprune as float32, to train it on: that of an int8 graph, with its weights.

What was masked may come back. Units are added that change nothing until they are trained (Chen et
al. 2016, "Net2Net", arXiv 1511.05641): nothing reads them yet.
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

#: Units of the two LSTM layers, as trained here; those of an int8 graph are the first of them.
UNITS = (96, 128)
HIDDEN = 128
GATES = 4
#: Inputs of TFLite's LSTM, gates in the order i, f, g, o, which is that of Keras.
INPUT_KERNELS, RECURRENT_KERNELS, BIASES = range(1, 5), range(5, 9), range(12, 16)
Weights = list[Float32Array]


def build(inputs: Shape = (None, 128), outputs: int = 128) -> keras.Model:
    """Return TinyLSTM with few units: mel features -> mask; 234,624 parameters."""
    features = keras.Input(inputs, name="features")
    x = features
    for number, units in enumerate(UNITS, start=1):
        x = keras.layers.LSTM(units, return_sequences=True, name=f"lstm_{number}")(x)
    x = keras.layers.Dense(HIDDEN, activation="relu", name="dense")(x)
    mask = keras.layers.Dense(outputs, activation="sigmoid", name="mask")(x)
    return keras.Model(features, mask, name="tinylstm")


def with_weights_of(graph: Path, frontend: FrontEnd) -> keras.Model:
    """Return the network with the weights of an int8 graph, for features of another front end."""
    weights = [
        kernel for operator in flatbuffer.read(graph).operators for kernel in _weights(operator)
    ]
    adapted = for_front_end(weights, frontend_of(record_beside(graph)), frontend)
    model = build()
    model.set_weights(_widened(model.get_weights(), adapted))
    return model


def for_front_end(weights: Weights, before: FrontEnd, after: FrontEnd) -> Weights:
    """Return the weights of a network for features of another front end.

    Features are ``(m - mean) / std``: where mean and std are others, the first kernel is scaled and
    the first bias shifted, so that the same sound gives the same mask.
    """
    kernel, recurrent, bias, *others = weights
    ratio = np.array(after.std) / np.array(before.std)
    shift = (np.array(after.mean) - np.array(before.mean)) / np.array(before.std)
    return [kernel * ratio[:, None], recurrent, bias + shift @ kernel, *others]


def _widened(wide: Weights, weights: Weights) -> Weights:
    """Return the weights of a network, and of units beside them that nothing reads.

    ``wide``: what the network with these units begins with, from which the inputs of new units come.
    """
    first, second = (_widened_lstm(wide[at : at + 3], weights[at : at + 3]) for at in (0, 3))
    dense = np.zeros_like(wide[6])
    dense[: len(weights[6])] = weights[6]
    return [*first, *second, dense, *weights[7:]]


def _widened_lstm(wide: Weights, weights: Weights) -> Weights:
    """Return kernel (inputs, gates x units), recurrent kernel and bias of a layer with more units."""
    units = len(weights[1])
    widened = []
    for new, old in zip(wide, weights, strict=True):
        gates = np.array(new).reshape(*new.shape[:-1], GATES, -1)
        gates[..., :units] = 0  # the old units do not read the new ones
        old_gates = old.reshape(*old.shape[:-1], GATES, units)
        if old.ndim == 1:
            gates[:, :units] = old_gates
        else:
            gates[: len(old), :, :units] = old_gates
        widened.append(gates.reshape(new.shape))
    return widened


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
