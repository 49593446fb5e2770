"""An LSTM (Hochreiter & Schmidhuber 1997) as operators, frame by frame, in Keras' gate order.

``c = f c + i g``, ``h = o tanh(c)``. Products read h in 8 bits; c has 16, as in the fused operator.
"""

import numpy as np

from tinyprune.tflite.cells.cell import (
    ARGUMENT,
    CellLayer,
    CellState,
    CellWeights,
    Part,
    grid_scale,
    product,
    written,
)
from tinyprune.tflite.cells.network_writer import (
    ONE_IN_INT16,
    NetworkWriter,
    Numbers,
    Value,
    uint8_of,
)
from tinyprune.tflite.operators import GATES

_CELL = Numbers("int16", 2**-11)  # up to 16 either way
_OPENED = Numbers("int16", ONE_IN_INT16)


class LSTMCell(CellLayer):
    """Writes the frames of one LSTM, each gate with a scale of its own for both kernels.

    Its state after a frame is (h as uint8, c as int16).
    """

    state_names = ("hidden", "cell")

    def __init__(self, writer: NetworkWriter, weights: CellWeights, h: Numbers) -> None:
        self._writer = writer
        self._units = weights.units
        self._h = h
        self.state_numbers = (uint8_of(h), _CELL)
        bias = weights.input_bias + weights.recurrent_bias
        self._kernel = self._written("kernel", weights.kernel, bias)
        self._recurrent = self._written(
            "recurrent_kernel", weights.recurrent_kernel, np.zeros_like(bias)
        )

    def _written(self, name: str, kernel: np.ndarray, bias: np.ndarray) -> list[Part]:
        parts = []
        gates = zip(np.split(kernel, GATES, axis=1), np.split(bias, GATES), strict=True)
        for number, (gate, gate_bias) in enumerate(gates):
            part_name = f"{name}_{number}"
            parts.append(written(self._writer, part_name, gate, gate_bias, grid_scale(gate)))
        return parts

    def project(self, sequence: Value) -> Value:
        """Return inputs times kernel."""
        return product(self._writer, "projected", sequence, self._kernel)

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
        opened = writer.multiply(f"{frame}/opened", o, squashed, _OPENED)
        h = writer.quantize(f"{frame}/h", opened, self._h)
        return h, (writer.quantize(f"{frame}/h_read", h, uint8_of(self._h)), cell)
