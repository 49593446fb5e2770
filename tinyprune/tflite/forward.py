"""Int8 graphs as functions from a batch of inputs to a batch of outputs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.errors import TinypruneError
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.engines import LITERT, TFLM, Tflm, has_tflm
from tinyprune.tflite.interpreter import Int8Model

#: A network as a function from inputs (batch, ...) to outputs (batch, ...).
Forward = Callable[[Float32Array], Float32Array]

#: The operator that LiteRT computes otherwise than a device does.
_FUSED_LSTM = "UNIDIRECTIONAL_SEQUENCE_LSTM"


class Int8Forward:
    """An int8 graph on inputs (batch, ...), run one after the other as a device would.

    Attributes:
        engine: name of what computes.
    """

    def __init__(self, runner: Int8Model, engine: str) -> None:
        self.engine = engine
        self._runner = runner

    def __call__(self, inputs: Float32Array) -> Float32Array:
        """Return the outputs (batch, ...)."""
        return np.stack([self._runner.run(item) for item in inputs])


def of_int8(path: Path) -> Int8Forward:
    """Return an int8 graph of this project.

    LiteRT runs it, but for one with a fused LSTM, which LiteRT rounds otherwise than a device does:
    that is run by TFLM, where it is installed. Raises what Int8Model raises.
    """
    if _has_fused_lstm(path) and has_tflm():
        try:
            return Int8Forward(Int8Model(path, engine=Tflm(flatbuffer.load(path))), TFLM)
        except TinypruneError:  # it lacks another operator
            pass
    return of_runner(Int8Model(path))


def of_runner(runner: Int8Model) -> Int8Forward:
    """Return an int8 graph that LiteRT has loaded already."""
    return Int8Forward(runner, LITERT)


def engine_of(forward: Forward) -> str:
    """Return the name of what computes a function; empty for what is no int8 graph."""
    return forward.engine if isinstance(forward, Int8Forward) else ""


def _has_fused_lstm(path: Path) -> bool:
    return any(operator.name == _FUSED_LSTM for operator in flatbuffer.read(path).operators)
