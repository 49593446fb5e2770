"""A stream and a reference, side by side on the same inputs."""

from collections.abc import Sequence

import numpy as np

from tinyprune.tflite.engines import Engine

STEP = 1.0


class Lockstep:
    """Two engines, one behind the other; only the first inferences go through both.

    Attributes:
        name: of the engine whose outputs are given back.
        most: number of inferences that go through both; later ones go through the reference only.
        inferences: how many went through both.
        bytes, bytes_off: output bytes of these, and those that differ.
        bytes_beyond: those that differ in numbers which are more than a step apart.
        largest: the largest difference of two numbers.
        first_off: the first inference with a difference; None where there is none.
    """

    def __init__(self, tested: Engine, reference: Engine, most: int) -> None:
        self.name = tested.name
        self.most = most
        self.inferences = 0
        self.bytes = 0
        self.bytes_off = 0
        self.bytes_beyond = 0
        self.largest = 0.0
        self.first_off: int | None = None
        self._tested = tested
        self._reference = reference

    def invoke(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the outputs of the tested engine; of the reference when enough are compared."""
        expected = self._reference.invoke(inputs)
        if self.inferences >= self.most:
            return expected
        made = self._tested.invoke(inputs)
        for values, reference in zip(made, expected, strict=True):
            self._compare(values, reference)
        self.inferences += 1
        return made

    def reset(self) -> None:
        """Let both forget all state."""
        self._tested.reset()
        self._reference.reset()

    def _compare(self, values: np.ndarray, reference: np.ndarray) -> None:
        self.bytes += values.nbytes
        is_off = _bytes(values) != _bytes(reference)
        if not is_off.any():
            return
        difference = np.abs(values.astype(np.float64) - reference.astype(np.float64))
        is_beyond = np.repeat(difference.reshape(-1) > STEP, values.itemsize)
        self.bytes_off += int(np.count_nonzero(is_off))
        self.bytes_beyond += int(np.count_nonzero(is_off & is_beyond))
        self.largest = max(self.largest, float(difference.max()))
        if self.first_off is None:
            self.first_off = self.inferences


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8)
