"""An LSTM (Hochreiter & Schmidhuber 1997) as operators, frame by frame, in Keras' gate order.

``c = f c + i g``, ``h = o tanh(c)``. Products read h in 8 bits; c has 16, as in the fused operator.
"""

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.tflite.cells.cell import (
    MERGED,
    CellLayer,
    CellState,
    CellWeights,
    Part,
    grid_scale,
)
from tinyprune.tflite.cells.network_writer import (
    H,
    NetworkWriter,
    Numbers,
    Value,
    uint8_of,
)

_CELL = Numbers("int16", 2**-11)  # up to 16 either way
_GATES = (0, 1, 3)  # i, f, o in Keras' order


class LSTMCell(CellLayer):
    """Writes the frames of one LSTM, with one scale per kernel.

    Its state after a frame is (h as uint8, c as int16).
    """

    #: One sigmoid for three gates, because its table costs more than they do; then g.
    gates = (*_GATES, 2)
    state_names = ("hidden", "cell")

    def __init__(self, writer: NetworkWriter, weights: CellWeights) -> None:
        super().__init__(writer, weights)
        functions = weights.functions
        self._cell = functions.divided(_CELL)
        self.state_numbers = (uint8_of(H), self._cell)
        bias = weights.input_bias + weights.recurrent_bias
        bias.reshape(-1, weights.units)[list(_GATES)] += functions.offset
        self._write_kernels(weights, bias)

    def _write_kernels(self, weights: CellWeights, bias: Float32Array) -> None:
        """Write the constants of its products; the first one adds the bias."""
        none = np.zeros_like(bias)
        self._kernel = [self._whole("kernel", weights.kernel, bias)]
        self._recurrent = [self._whole("recurrent_kernel", weights.recurrent_kernel, none)]

    def _whole(self, name: str, kernel: Float32Array, bias: Float32Array) -> Part:
        """Write a kernel with one scale."""
        return self._written(name, kernel, bias, grid_scale(kernel), self._functions.divisor)

    def step(
        self, frame: str, projected: Value, state: CellState | None
    ) -> tuple[Value, CellState]:
        """Write one frame."""
        writer, functions = self._writer, self._functions
        terms = self._terms(frame, projected, state)
        of_gates = [self._gates(f"{frame}/gates_x", term, 0, 3) for term in terms]
        of_g = [self._gates(f"{frame}/g_x", term, 3, 4) for term in terms]
        gates = functions.gates(writer, f"{frame}/gates", of_gates)
        i = self._gates(f"{frame}/i", gates, 0, 1)
        f = self._gates(f"{frame}/f", gates, 1, 2)
        o = self._gates(f"{frame}/o", gates, 2, 3)
        g = functions.candidate(writer, f"{frame}/g", of_g)

        cell = writer.multiply(f"{frame}/written", i, g, self._cell)
        if state is not None:
            kept = writer.multiply(f"{frame}/kept", f, state[1], self._cell)
            cell = writer.add(f"{frame}/cell", kept, cell, self._cell)
        squashed = functions.squashed(writer, f"{frame}/squashed", cell)
        h = writer.multiply_to_int8(f"{frame}/h", o, squashed, H)
        h, read = self._ends(frame, h)
        return h, (read, cell)

    def _terms(self, frame: str, projected: Value, state: CellState | None) -> list[Value]:
        """Return what is summed to the arguments of the functions, by unit.

        Where they all have one grid it is summed already.
        """
        if state is None:
            return [self._by_unit(f"{frame}/projected_by_unit", projected)]
        made = self._product(f"{frame}/from_state", state[0], self._recurrent)
        argument = self._functions.argument
        if argument is not None:
            summed = self._writer.add(f"{frame}/sum", projected, made, argument)
            return [self._by_unit(f"{frame}/sum_by_unit", summed)]
        return [
            self._by_unit(f"{frame}/projected_by_unit", projected),
            self._by_unit(f"{frame}/from_state_by_unit", made),
        ]


class MergedLSTMCell(LSTMCell):
    """Writes an LSTM with one product, of inputs and state side by side.

    Inputs are divided by their limit, so that they have the grid of h, and the rows of the kernel
    are multiplied by it.
    """

    def _matrices(self, weights: CellWeights) -> list[Float32Array]:
        """Return the one matrix, (features + units, gates * units)."""
        limit = np.float32(weights.input_limit)
        return [np.concatenate([weights.kernel * limit, weights.recurrent_kernel])]

    def _write_kernels(self, weights: CellWeights, bias: Float32Array) -> None:
        """Write the one constant."""
        [matrix] = self._matrices(weights)
        self._kernel = [self._whole(MERGED, matrix, bias)]
        self._product_numbers = self._functions.sum

    def project(self, sequence: Value) -> Value:
        """Return the inputs: there is nothing to compute without the state."""
        return sequence

    def _terms(self, frame: str, projected: Value, state: CellState | None) -> list[Value]:
        """Return the product of inputs and state, by unit."""
        writer = self._writer
        h = self._zeros(frame) if state is None else state[0]
        halves = [writer.copy(f"{frame}/inputs", projected), writer.copy(f"{frame}/state", h)]
        read = writer.joined(f"{frame}/inputs_and_state", halves, axis=-1)
        made = self._product(f"{frame}/product", read, self._kernel)
        return [self._by_unit(f"{frame}/sum_by_unit", made)]

    def _zeros(self, frame: str) -> Value:
        """Return the state before the first frame, as products read it."""
        numbers = uint8_of(H)
        zeros = np.full((1, 1, self._groups.units), numbers.zero_point, np.uint8)
        return self._writer.constant(f"{frame}/zeros", zeros, numbers)
