"""What the cells of LSTM and GRU have in common: weights, products with kernels, and states."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.tflite.cells.network_writer import (
    NetworkWriter,
    Numbers,
    Value,
    int32_bias,
    uint8_matrix,
)
from tinyprune.tflite.graph import UINT8_ZERO

#: Products of inputs and of the state: beyond 16 either way every gate is closed or open.
PRODUCT = Numbers("int16", 16 / 32768)
#: Arguments of sigmoid and tanh, with a scale for which TFLite has exact tables.
ARGUMENT = Numbers("int16", 8 / 32768)
_SCALE_OF_ZEROS = 1 / 127


@dataclass(frozen=True, eq=False)
class CellWeights:
    """The weights of a recurrent layer as Keras has them.

    Attributes:
        kind: "lstm" or "gru".
        kernel: (features, gates * units).
        recurrent_kernel: (units, gates * units).
        input_bias, recurrent_bias: (gates * units,), zeros where there is none.
        reset_after: of a GRU.
    """

    kind: str
    kernel: Float32Array
    recurrent_kernel: Float32Array
    input_bias: Float32Array
    recurrent_bias: Float32Array
    reset_after: bool = True

    @property
    def units(self) -> int:
        """Number of units."""
        return len(self.recurrent_kernel)


@dataclass(frozen=True, eq=False)
class Part:
    """Some outputs of a kernel in the file.

    Attributes:
        name: of the constant.
        weights: uint8 constant (outputs, inputs).
        bias: (outputs,), float.
    """

    name: str
    weights: Value
    bias: Float32Array


#: After a frame: h as uint8, which products read, and what is carried on in 16 bits.
CellState = tuple[Value, Value]


class CellLayer(ABC):
    """Writes the frames of one recurrent layer.

    Args:
        writer: of the network.
        weights: of the layer.

    Attributes:
        state_names, state_numbers: of its state, in order.
    """

    state_names: tuple[str, str]
    state_numbers: tuple[Numbers, Numbers]
    _writer: NetworkWriter
    _kernel: Sequence[Part]

    @abstractmethod
    def __init__(self, writer: NetworkWriter, weights: CellWeights) -> None:
        """Write the weights."""

    def project(self, sequence: Value) -> Value:
        """Return inputs (1, frames, features), uint8, times kernel: (1, frames, gates * units)."""
        return product(self._writer, "projected", sequence, self._kernel)

    @abstractmethod
    def step(
        self, frame: str, projected: Value, state: CellState | None
    ) -> tuple[Value, CellState]:
        """Write one frame.

        Args:
            frame: beginning of the names of its tensors.
            projected: (1, 1, gates * units).
            state: after the frame before; None for zeros.

        Returns:
            h (1, 1, units), and the state after the frame.
        """


def grid_scale(kernel: Float32Array) -> float:
    """Return the scale of joint training, ``max |k| / 127``; a grid of it keeps its integers."""
    largest = float(np.abs(kernel).max(initial=0.0))
    return largest / 127 if largest > 0 else _SCALE_OF_ZEROS


def written(
    writer: NetworkWriter, name: str, kernel: Float32Array, bias: Float32Array, scale: float
) -> Part:
    """Write outputs of a kernel (inputs, outputs)."""
    integers = np.round(kernel.T / scale).astype(np.int8)
    numbers = Numbers("uint8", scale, UINT8_ZERO)
    return Part(name, writer.constant(name, uint8_matrix(integers), numbers), bias)


def product(writer: NetworkWriter, name: str, read: Value, parts: Sequence[Part]) -> Value:
    """Return a uint8 tensor times a kernel, plus its bias: int16, the parts side by side."""
    made = []
    for part in parts:
        integers = int32_bias(part.bias, read.scale * part.weights.scale)
        output_name = f"{name}/{part.name}"
        made.append(writer.fully_connected(output_name, read, part.weights, integers, PRODUCT))
    return writer.joined(name, made, axis=-1)
