"""Networks as functions from a batch of inputs to a batch of outputs, whatever runs them."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.compress.compiled import compiled
from tinyprune.compress.ends import given, made
from tinyprune.tflite.interpreter import Int8Model

#: A network as a function from inputs (batch, ...) to outputs (batch, ...).
Forward = Callable[[Float32Array], Float32Array]


def of_keras(model: keras.Model) -> Forward:
    """A float network on inputs (batch, ...)."""
    forward = compiled(lambda inputs: model(inputs, training=False))
    return lambda inputs: made(model, forward(given(model, inputs)))


def of_int8(path: Path) -> Forward:
    """Return an int8 graph on inputs (batch, ...), run one after the other as a device would.

    Raises what Int8Model raises.
    """
    return of_runner(Int8Model(path))


def of_runner(runner: Int8Model) -> Forward:
    """An int8 graph that is loaded already."""

    def forward(inputs: Float32Array) -> Float32Array:
        return np.stack([runner.run(item) for item in inputs])

    return forward
