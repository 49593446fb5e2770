"""Int8 graphs as functions from a batch of inputs to a batch of outputs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.tflite.interpreter import Int8Model

#: A network as a function from inputs (batch, ...) to outputs (batch, ...).
Forward = Callable[[Float32Array], Float32Array]


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
