"""What the cells of LSTM and GRU have in common: weights, products with kernels, and states."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.tflite.cells.functions import CellFunctions
from tinyprune.tflite.cells.network_writer import (
    NetworkWriter,
    Numbers,
    Shape,
    Value,
    int32_bias,
    uint8_matrix,
)
from tinyprune.tflite.cells.unit_groups import cheapest_groups
from tinyprune.tflite.graph import UINT8_ZERO

#: Name of a kernel that reads inputs and state.
MERGED = "merged_kernel"
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
        functions: of its gates, and of its candidate and cell state.
        input_limit: of an LSTM that reads inputs and state by one product, the largest magnitude of
            inputs; None where each has a product of its own.
    """

    kind: str
    kernel: Float32Array
    recurrent_kernel: Float32Array
    input_bias: Float32Array
    recurrent_bias: Float32Array
    reset_after: bool = True
    functions: CellFunctions = CellFunctions()
    input_limit: float | None = None

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
        bias: (outputs,), float, divided as products are.
    """

    name: str
    weights: Value
    bias: Float32Array


#: After a frame: h as uint8, which products read, and what is carried on in 16 bits.
CellState = tuple[Value, Value]


class CellLayer(ABC):
    """Writes the frames of one recurrent layer.

    Products have their outputs in the order of :class:`UnitGroups`, what lies between them has its
    shape.

    Args:
        writer: of the network.
        weights: of the layer.

    Attributes:
        state_names, state_numbers: of its state, in order.
        gates: those of a unit in the file, each by its number in Keras' order.
    """

    gates: tuple[int, ...]
    state_names: tuple[str, str]
    state_numbers: tuple[Numbers, Numbers]
    _kernel: Sequence[Part]

    def __init__(self, writer: NetworkWriter, weights: CellWeights) -> None:
        self._writer = writer
        self._functions = weights.functions
        self._product_numbers = weights.functions.product
        self._groups = cheapest_groups(weights.units, self.gates, self._matrices(weights))

    def _matrices(self, weights: CellWeights) -> list[Float32Array]:
        """Return what its products have for weights, outputs in Keras' order."""
        return [weights.kernel, weights.recurrent_kernel]

    @property
    def state_shapes(self) -> tuple[Shape, Shape]:
        """Shapes of its state: h as products read it, and what is carried on by unit."""
        return (1, 1, self._groups.units), self._groups.shape(1)

    def project(self, sequence: Value) -> Value:
        """Return inputs (1, frames, features), uint8, times kernel: (1, frames, gates * units)."""
        return self._product("projected", sequence, self._kernel)

    def _written(
        self, name: str, kernel: Float32Array, bias: Float32Array, scale: float, divisor: int
    ) -> Part:
        """Write outputs of a kernel (inputs, gates * units), which are in Keras' order.

        Args:
            name: of the kernel.
            kernel, bias: in Keras' order.
            scale: of the integers of the kernel.
            divisor: what the product is divided by.
        """
        integers = np.round(self._groups.in_file(kernel).T / scale).astype(np.int8)
        numbers = Numbers("uint8", scale / divisor, UINT8_ZERO)
        in_file = f"{name}{self._groups.suffix}"
        weights = self._writer.constant(in_file, uint8_matrix(integers), numbers)
        divided = self._groups.in_file(bias) / np.float32(self._functions.divisor)
        return Part(name, weights, divided)

    def _product(self, name: str, read: Value, parts: Sequence[Part]) -> Value:
        """Return a uint8 tensor times a kernel, plus its bias: int16, the parts side by side."""
        made = []
        for part in parts:
            integers = int32_bias(part.bias, read.scale * part.weights.scale)
            output_name = f"{name}/{part.name}"
            numbers = self._product_numbers
            made.append(
                self._writer.fully_connected(output_name, read, part.weights, integers, numbers)
            )
        return self._writer.joined(name, made, axis=-1)

    def _by_unit(self, name: str, made: Value) -> Value:
        """Return what a product makes (1, 1, gates * units) by gate and unit."""
        gates = made.shape[-1] // self._groups.units
        return self._writer.reshape(name, made, self._groups.shape(gates))

    def _gates(self, name: str, summed: Value, first: int, last: int) -> Value:
        """Return gates ``first`` to ``last - 1``."""
        rows = self._groups.rows
        return self._writer.along(name, summed, 2, first * rows, last * rows)

    def _ends(self, frame: str, h: Value) -> tuple[Value, Value]:
        """Return h of a frame as what the layer makes, and as uint8 for its products.

        Args:
            frame: beginning of the names of its tensors.
            h: int8, by unit.

        Returns:
            both (1, 1, units).
        """
        writer = self._writer
        sequence = (1, 1, self._groups.units)
        read = writer.as_uint8(f"{frame}/h_read_by_unit", h)
        made = writer.copy(f"{frame}/h_made", h)
        return (
            writer.reshape(f"{frame}/h_sequence", made, sequence),
            writer.reshape(f"{frame}/h_read", read, sequence),
        )

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
