"""An LSTM (Hochreiter & Schmidhuber 1997) as operators, frame by frame, in Keras' gate order.

``c = f c + i g``, ``h = o tanh(c)``. Products read h in 8 bits; c has 16, as in the fused operator.
"""

import numpy as np

from tinyprune.tflite.cells.cell import (
    ARGUMENT,
    CellLayer,
    CellState,
    CellWeights,
    grid_scale,
    product,
)
from tinyprune.tflite.cells.network_writer import (
    H,
    NetworkWriter,
    Numbers,
    Value,
    uint8_of,
)

_CELL = Numbers("int16", 2**-11)  # up to 16 either way


class LSTMCell(CellLayer):
    """Writes the frames of one LSTM, with one scale per kernel.

    Its state after a frame is (h as uint8, c as int16).
    """

    #: i, f, o and then g: one sigmoid for three gates, because its table costs more than they do.
    gates = (0, 1, 3, 2)
    state_names = ("hidden", "cell")
    state_numbers = (uint8_of(H), _CELL)

    def __init__(self, writer: NetworkWriter, weights: CellWeights) -> None:
        super().__init__(writer, weights)
        bias = weights.input_bias + weights.recurrent_bias
        none = np.zeros_like(bias)
        kernel, recurrent = weights.kernel, weights.recurrent_kernel
        self._kernel = [self._written("kernel", kernel, bias, grid_scale(kernel))]
        self._recurrent = [
            self._written("recurrent_kernel", recurrent, none, grid_scale(recurrent))
        ]

    def step(
        self, frame: str, projected: Value, state: CellState | None
    ) -> tuple[Value, CellState]:
        """Write one frame."""
        writer = self._writer
        summed = projected
        if state is not None:
            made = product(writer, f"{frame}/from_state", state[0], self._recurrent)
            summed = writer.add(f"{frame}/sum", projected, made, ARGUMENT)
        summed = self._by_unit(f"{frame}/sum_by_unit", summed)
        of_sigmoid = self._gates(f"{frame}/sigmoid_x", summed, 0, 3)
        sigmoid = writer.sigmoid(f"{frame}/sigmoid", of_sigmoid)
        i = self._gates(f"{frame}/i", sigmoid, 0, 1)
        f = self._gates(f"{frame}/f", sigmoid, 1, 2)
        o = self._gates(f"{frame}/o", sigmoid, 2, 3)
        g = writer.tanh(f"{frame}/g", self._gates(f"{frame}/g_x", summed, 3, 4))

        cell = writer.multiply(f"{frame}/written", i, g, _CELL)
        if state is not None:
            kept = writer.multiply(f"{frame}/kept", f, state[1], _CELL)
            cell = writer.add(f"{frame}/cell", kept, cell, _CELL)
        squashed = writer.tanh(f"{frame}/squashed", cell)
        h = writer.multiply_to_int8(f"{frame}/h", o, squashed)
        h, read = self._ends(frame, h)
        return h, (read, cell)
