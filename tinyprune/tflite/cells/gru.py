"""A GRU (Cho et al. 2014, arXiv 1406.1078) as operators, frame by frame, in Keras' gate order.

The formulas are those of ``compress/gru_recurrence.py``. Products read h in 8 bits; what is carried
from frame to frame has 16.
"""

import numpy as np

from tinyprune.tflite.cells.cell import CellLayer, CellState, CellWeights, grid_scale
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

    def __init__(self, writer: NetworkWriter, weights: CellWeights) -> None:
        super().__init__(writer, weights)
        units = weights.units
        functions = weights.functions
        divisor = functions.divisor
        self._carried = functions.divided(_CARRIED)
        self._difference = functions.divided(_DIFFERENCE)
        self.state_numbers = (uint8_of(H), self._carried)
        # Only the candidate of reset_after needs the bias of the state apart.
        input_bias = weights.input_bias.copy()
        input_bias[: 2 * units] += weights.recurrent_bias[: 2 * units] + functions.offset
        self._candidate_bias = weights.recurrent_bias[2 * units :]
        no_bias = np.zeros(2 * units, np.float32)
        kernel = weights.kernel
        self._kernel = [self._written("kernel", kernel, input_bias, grid_scale(kernel), divisor)]

        recurrent = weights.recurrent_kernel
        scale = grid_scale(recurrent)
        self._reset_after = weights.reset_after
        if weights.reset_after:
            bias = np.concatenate([no_bias, self._candidate_bias])
            self._recurrent = [self._written("recurrent_kernel", recurrent, bias, scale, divisor)]
            return
        of_gates = recurrent[:, : 2 * units]
        of_candidate = recurrent[:, 2 * units :]
        self._recurrent = [self._written("recurrent_kernel_0", of_gates, no_bias, scale, divisor)]
        # What it reads, r * h, may be divided already.
        left = divisor // functions.value_divisor
        no_bias = no_bias[:units]
        self._candidate = [self._written("recurrent_kernel_1", of_candidate, no_bias, scale, left)]

    def step(
        self, frame: str, projected: Value, state: CellState | None
    ) -> tuple[Value, CellState]:
        """Write one frame."""
        writer = self._writer
        by_unit = self._by_unit(f"{frame}/projected_by_unit", projected)
        of_gates = self._gates(f"{frame}/gates_x", by_unit, 0, 2)
        of_candidate = self._gates(f"{frame}/candidate_x", by_unit, 2, 3)
        if state is None:
            z, r = self._update_and_reset(frame, [of_gates])
            inner = self._inner_of_zeros(frame, r)
        else:
            z, r, inner = self._with_state(frame, of_gates, state)
        terms = [of_candidate] if inner is None else [of_candidate, inner]
        candidate = self._functions.candidate(writer, f"{frame}/candidate", terms)

        carried = self._mixed(frame, candidate, z, state)
        integers = np.full(carried.shape, 32767, np.int16)
        whole = Numbers("int16", self._functions.value_divisor * ONE_IN_INT16)
        one = writer.constant(f"{frame}/one", integers, whole)
        h = writer.multiply_to_int8(f"{frame}/h", carried, one, H)
        h, read = self._ends(frame, h)
        return h, (read, carried)

    def _update_and_reset(self, frame: str, terms: list[Value]) -> tuple[Value, Value]:
        """Return both gates, z and r, of a sum."""
        gates = self._functions.gates(self._writer, f"{frame}/gates", terms)
        z = self._gates(f"{frame}/z", gates, 0, 1)
        r = self._gates(f"{frame}/r", gates, 1, 2)
        return z, r

    def _with_state(
        self, frame: str, of_gates: Value, state: CellState
    ) -> tuple[Value, Value, Value]:
        """Return z, r and what the state adds to the argument of the candidate."""
        writer = self._writer
        read, carried = state
        made = self._product(f"{frame}/from_state", read, self._recurrent)
        made = self._by_unit(f"{frame}/from_state_by_unit", made)
        gates_h = self._gates(f"{frame}/gates_h", made, 0, 2)
        z, r = self._update_and_reset(frame, [of_gates, gates_h])
        if self._reset_after:
            candidate_h = self._gates(f"{frame}/candidate_h", made, 2, 3)
            return z, r, writer.multiply(f"{frame}/reset", r, candidate_h, candidate_h.numbers)
        reset = writer.multiply_to_int8(f"{frame}/reset", r, carried, self._functions.divided(H))
        _, reset_read = self._ends(f"{frame}/reset", reset)
        made = self._product(f"{frame}/candidate_h", reset_read, self._candidate)
        return z, r, self._by_unit(f"{frame}/candidate_h_by_unit", made)

    def _inner_of_zeros(self, frame: str, r: Value) -> Value | None:
        """Return what a state of zeros adds to the argument of the candidate."""
        if not self._reset_after or not self._candidate_bias.any():
            return None
        numbers = self._functions.product
        bias = self._groups.in_file(self._candidate_bias) / self._functions.divisor
        integers = np.round(bias / numbers.scale)
        limits = np.iinfo(np.int16)
        clipped = np.clip(integers, limits.min, limits.max).astype(np.int16)
        by_unit = clipped.reshape(self._groups.shape(1))
        constant = self._writer.constant(f"{frame}/bias", by_unit, numbers)
        return self._writer.multiply(f"{frame}/reset", r, constant, numbers)

    def _mixed(self, frame: str, candidate: Value, z: Value, state: CellState | None) -> Value:
        """Return h = n + z * (h - n)."""
        writer = self._writer
        if state is None:
            kept_back = writer.multiply(f"{frame}/kept_back", z, candidate, self._carried)
            return writer.subtract(f"{frame}/carried", candidate, kept_back, self._carried)
        difference = writer.subtract(f"{frame}/difference", state[1], candidate, self._difference)
        kept = writer.multiply(f"{frame}/kept", z, difference, self._difference)
        return writer.add(f"{frame}/carried", candidate, kept, self._carried)
