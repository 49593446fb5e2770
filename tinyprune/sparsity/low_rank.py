"""``low-rank``: a kernel becomes the product of two thin ones."""

from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import IntArray
from tinyprune.sparsity.structure import Structure


@dataclass(frozen=True)
class LowRank(Structure):
    """A layer as two of few channels in between: nothing is masked, whole ranks are gone."""

    name = "low-rank"
    example = "low-rank"
    replaces_layers = True

    @classmethod
    def parse(cls, text: str, block_size: str) -> "LowRank | None":
        """Return the structure of the text "low-rank"."""
        del block_size
        return cls() if text == cls.name else None

    def groups(self, shape: tuple[int, ...]) -> IntArray:
        """Return one group: a kernel is replaced as a whole, or stays as a whole."""
        return np.zeros(shape, np.int64)
