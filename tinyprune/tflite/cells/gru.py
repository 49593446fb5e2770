"""A GRU (Cho et al. 2014, arXiv 1406.1078) as operators, frame by frame, in Keras' gate order.

The formulas are those of ``compress/gru_recurrence.py``. Products read h in 8 bits; what is carried
from frame to frame has 16.
"""

import numpy as np

from tinyprune.tflite.cells.cell import (
    ARGUMENT,
    PRODUCT,
    CellLayer,
    CellState,
    CellWeights,
    grid_scale,
    product,
)
from tinyprune.tflite.cells.network_writer import (
    ONE_IN_INT16,
    H,
    NetworkWriter,
    Numbers,
    Value,
    uint8_of,
)

_CARRIED = Numbers("int16", ONE_IN_INT16)
_DIFFERENCE = Numbers("int16", 2 * ONE_IN_INT16)  # of two numbers in [-1, 1]


class GRUCell(CellLayer):
    """Writes the frames of one GRU.

    Its state after a frame is (h as uint8, which products read; h as int16, which is carried on).
    """

    gates = (0, 1, 2)  # z, r, candidate
    state_names = ("hidden", "carried")
    state_numbers = (uint8_of(H), _CARRIED)

    def __init__(self, writer: NetworkWriter, weights: CellWeights) -> None:
        super().__init__(writer, weights)
        units = weights.units
        # Only the candidate of reset_after needs the bias of the state apart.
        input_bias = weights.input_bias.copy()
        input_bias[: 2 * units] += weights.recurrent_bias[: 2 * units]
        self._candidate_bias = weights.recurrent_bias[2 * units :]
        no_bias = np.zeros(2 * units, np.float32)
        kernel = weights.kernel
        self._kernel = [self._written("kernel", kernel, input_bias, grid_scale(kernel))]

        recurrent = weights.recurrent_kernel
        scale = grid_scale(recurrent)
        self._reset_after = weights.reset_after
        if weights.reset_after:
            bias = np.concatenate([no_bias, self._candidate_bias])
            self._recurrent = [self._written("recurrent_kernel", recurrent, bias, scale)]
            return
        of_gates = recurrent[:, : 2 * units]
        of_candidate = recurrent[:, 2 * units :]
        self._recurrent = [self._written("recurrent_kernel_0", of_gates, no_bias, scale)]
        self._candidate = [
            self._written("recurrent_kernel_1", of_candidate, no_bias[:units], scale)
        ]

    def step(
        self, frame: str, projected: Value, state: CellState | None
    ) -> tuple[Value, CellState]:
        """Write one frame."""
        writer = self._writer
        by_unit = self._by_unit(f"{frame}/projected_by_unit", projected)
        of_gates = self._gates(f"{frame}/gates_x", by_unit, 0, 2)
        of_candidate = self._gates(f"{frame}/candidate_x", by_unit, 2, 3)
        if state is None:
            z, r = self._update_and_reset(frame, of_gates)
            inner = self._inner_of_zeros(frame, r)
        else:
            z, r, inner = self._with_state(frame, of_gates, state)
        summed = of_candidate
        if inner is not None:
            summed = writer.add(f"{frame}/candidate_sum", of_candidate, inner, ARGUMENT)
        candidate = writer.tanh(f"{frame}/candidate", summed)

        carried = self._mixed(frame, candidate, z, state)
        one = np.full(carried.shape, 32767, np.int16)
        h = writer.multiply_to_int8(
            f"{frame}/h", carried, writer.constant(f"{frame}/one", one, _CARRIED)
        )
        h, read = self._ends(frame, h)
        return h, (read, carried)

    def _update_and_reset(self, frame: str, summed: Value) -> tuple[Value, Value]:
        """Return both gates, z and r."""
        gates = self._writer.sigmoid(f"{frame}/gates", summed)
        z = self._gates(f"{frame}/z", gates, 0, 1)
        r = self._gates(f"{frame}/r", gates, 1, 2)
        return z, r

    def _with_state(
        self, frame: str, of_gates: Value, state: CellState
    ) -> tuple[Value, Value, Value]:
        """Return z, r and what the state adds to the argument of the candidate."""
        writer = self._writer
        read, carried = state
        made = product(writer, f"{frame}/from_state", read, self._recurrent)
        made = self._by_unit(f"{frame}/from_state_by_unit", made)
        gates_h = self._gates(f"{frame}/gates_h", made, 0, 2)
        summed = writer.add(f"{frame}/gates_sum", of_gates, gates_h, ARGUMENT)
        z, r = self._update_and_reset(frame, summed)
        if self._reset_after:
            candidate_h = self._gates(f"{frame}/candidate_h", made, 2, 3)
            return z, r, writer.multiply(f"{frame}/reset", r, candidate_h, PRODUCT)
        reset = writer.multiply_to_int8(f"{frame}/reset", r, carried)
        _, reset_read = self._ends(f"{frame}/reset", reset)
        made = product(writer, f"{frame}/candidate_h", reset_read, self._candidate)
        return z, r, self._by_unit(f"{frame}/candidate_h_by_unit", made)

    def _inner_of_zeros(self, frame: str, r: Value) -> Value | None:
        """Return what a state of zeros adds to the argument of the candidate."""
        if not self._reset_after or not self._candidate_bias.any():
            return None
        integers = np.round(self._groups.in_file(self._candidate_bias) / PRODUCT.scale)
        limits = np.iinfo(np.int16)
        clipped = np.clip(integers, limits.min, limits.max).astype(np.int16)
        by_unit = clipped.reshape(self._groups.shape(1))
        bias = self._writer.constant(f"{frame}/bias", by_unit, PRODUCT)
        return self._writer.multiply(f"{frame}/reset", r, bias, PRODUCT)

    def _mixed(self, frame: str, candidate: Value, z: Value, state: CellState | None) -> Value:
        """Return h = n + z * (h - n)."""
        writer = self._writer
        if state is None:
            kept_back = writer.multiply(f"{frame}/kept_back", z, candidate, _CARRIED)
            return writer.subtract(f"{frame}/carried", candidate, kept_back, _CARRIED)
        difference = writer.subtract(f"{frame}/difference", state[1], candidate, _DIFFERENCE)
        kept = writer.multiply(f"{frame}/kept", z, difference, _DIFFERENCE)
        return writer.add(f"{frame}/carried", candidate, kept, _CARRIED)
