"""``block``: the weights of one tile of the kernel's matrix live and die together."""

import re
from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import IntArray
from tinyprune.errors import UsageError
from tinyprune.sparsity.structure import Structure


def groups(shape: tuple[int, ...], rows: int, columns: int) -> IntArray:
    """Return the tile of each weight, of the kernel's shape.

    Tiles are numbered row by row; those at the last rows and columns are smaller where the size
    does not divide the matrix. A convolution's matrix has one row per spatial position and input:
    ``(kh * kw * inputs, outputs)``.

    Args:
        shape: of the kernel, (spatial..., inputs, outputs).
        rows, columns: of a tile.

    Raises:
        UsageError: a tile is larger than the matrix in one direction or the other.
    """
    height = int(np.prod(shape[:-1]))
    width = shape[-1]
    if rows > height or columns > width:
        raise UsageError(
            f"a block of {rows}x{columns} is larger than the kernel of shape {shape}, "
            f"a matrix of {height}x{width}: "
            f"try {min(rows, height)}x{min(columns, width)} or smaller"
        )
    row = np.arange(height) // rows
    column = np.arange(width) // columns
    columns_of_tiles = column[-1] + 1
    return (row[:, None] * columns_of_tiles + column).reshape(shape)


@dataclass(frozen=True)
class Block(Structure):
    """Tiles of rows x columns of the (spatial * inputs, outputs) matrix, ``--block-size RxC``.

    Attributes:
        rows, columns: of a tile.
    """

    rows: int
    columns: int

    name = "block"
    example = "block"

    @classmethod
    def parse(cls, text: str, block_size: str) -> "Block | None":
        """Return the structure of the text "block". Raises UsageError unless the size is RxC."""
        if text != cls.name:
            return None
        numbers = re.fullmatch("([1-9][0-9]{0,5})x([1-9][0-9]{0,5})", block_size)
        if not numbers:
            raise UsageError(
                f"block size '{block_size}' is not RxC, inputs x outputs of a block: "
                "try 16x16, 1x16 or 16x1"
            )
        return cls(rows=int(numbers[1]), columns=int(numbers[2]))

    @property
    def label(self) -> str:
        """The name with the size of a tile, e.g. "block 16x16"."""
        return f"{self.name} {self.rows}x{self.columns}"

    def groups(self, shape: tuple[int, ...]) -> IntArray:
        """Return one group per tile. Raises UsageError if the kernel is smaller than a tile."""
        return groups(shape, self.rows, self.columns)
