"""``weight``: every weight is a group of its own (unstructured pruning)."""

from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import IntArray
from tinyprune.sparsity.structure import Structure


def groups(shape: tuple[int, ...]) -> IntArray:
    """Return ids 0, 1, 2, ... in C order, of the kernel's shape."""
    return np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)


@dataclass(frozen=True)
class Weight(Structure):
    """Every weight alone: ids 0, 1, 2, ... in C order, of the kernel's shape."""

    name = "weight"
    example = "weight"

    @classmethod
    def parse(cls, text: str, block_size: str) -> "Weight | None":
        """Return the structure of the text "weight"."""
        del block_size
        return cls() if text == cls.name else None

    def groups(self, shape: tuple[int, ...]) -> IntArray:
        """Return one group per weight."""
        return groups(shape)
