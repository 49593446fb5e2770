"""``unit``: everything that computes one output channel or neuron lives and dies together."""

from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import IntArray
from tinyprune.sparsity.structure import Structure


def groups(shape: tuple[int, ...]) -> IntArray:
    """Return the output of each weight, the last axis of the kernel.

    Ids are those of one kernel alone, of its shape (spatial..., inputs, outputs). Units that
    several kernels share (residual sums, the four gates of an LSTM) are numbered by
    ``compress/coupling.py``.
    """
    return np.tile(np.arange(shape[-1], dtype=np.int64), (*shape[:-1], 1))


@dataclass(frozen=True)
class Unit(Structure):
    """All weights of one output: a neuron or a channel, the last axis of the kernel."""

    name = "unit"
    example = "unit"

    @classmethod
    def parse(cls, text: str, block_size: str) -> "Unit | None":
        """Return the structure of the text "unit"."""
        del block_size
        return cls() if text == cls.name else None

    def groups(self, shape: tuple[int, ...]) -> IntArray:
        """Return one group per output."""
        return groups(shape)
