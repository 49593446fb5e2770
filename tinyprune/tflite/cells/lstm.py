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
    written,
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

    state_names = ("hidden", "cell")
    state_numbers = (uint8_of(H), _CELL)

    def __init__(self, writer: NetworkWriter, weights: CellWeights) -> None:
        self._writer = writer
        self._units = weights.units
        bias = weights.input_bias + weights.recurrent_bias
        none = np.zeros_like(bias)
        kernel, recurrent = weights.kernel, weights.recurrent_kernel
        self._kernel = [written(writer, "kernel", kernel, bias, grid_scale(kernel))]
        self._recurrent = [
            written(writer, "recurrent_kernel", recurrent, none, grid_scale(recurrent))
        ]

    def step(
        self, frame: str, projected: Value, state: CellState | None
    ) -> tuple[Value, CellState]:
        """Write one frame."""
        units = self._units
        writer = self._writer
        summed = projected
        if state is not None:
            made = product(writer, f"{frame}/from_state", state[0], self._recurrent)
            summed = writer.add(f"{frame}/sum", projected, made, ARGUMENT)
        first = writer.channels(f"{frame}/input_forget_x", summed, 0, 2 * units)
        input_forget = writer.sigmoid(f"{frame}/input_forget", first)
        i = writer.channels(f"{frame}/i", input_forget, 0, units)
        f = writer.channels(f"{frame}/f", input_forget, units, 2 * units)
        of_g = writer.channels(f"{frame}/g_x", summed, 2 * units, 3 * units)
        g = writer.tanh(f"{frame}/g", of_g)
        of_o = writer.channels(f"{frame}/o_x", summed, 3 * units, 4 * units)
        o = writer.sigmoid(f"{frame}/o", of_o)

        cell = writer.multiply(f"{frame}/written", i, g, _CELL)
        if state is not None:
            kept = writer.multiply(f"{frame}/kept", f, state[1], _CELL)
            cell = writer.add(f"{frame}/cell", kept, cell, _CELL)
        squashed = writer.tanh(f"{frame}/squashed", cell)
        h = writer.multiply_to_int8(f"{frame}/h", o, squashed)
        return h, (writer.as_uint8(f"{frame}/h_read", h), cell)
