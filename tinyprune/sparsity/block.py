"""``block``: the weights of one tile of the kernel's matrix live and die together."""

import re
from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import IntArray
from tinyprune.errors import UsageError
from tinyprune.sparsity.structure import Structure

#: Size of blocks where nothing is known of a target.
DEFAULT_BLOCK = "32x64"
#: A kernel whose blocks are those of the target is divided into at least as many.
FEWEST_BLOCKS = 8
_SMALLEST = 8  # side of a block that is halved to have more of them


def groups(shape: tuple[int, ...], rows: int, columns: int) -> IntArray:
    """Return the tile of each weight, of the kernel's shape.

    Tiles are numbered row by row; those at the last rows and columns are smaller where the size
    does not divide the matrix. A tile of a convolution has all positions of the window: then what
    is left of it is a convolution of fewer inputs.

    Args:
        shape: of the kernel, (spatial..., inputs, outputs).
        rows, columns: of a tile, in inputs and outputs.

    Raises:
        UsageError: a tile is larger than the kernel in one direction or the other.
    """
    height, width = shape[-2:]
    if rows > height or columns > width:
        raise UsageError(
            f"a block of {rows}x{columns} is larger than the kernel of shape {shape}, "
            f"{height} inputs x {width} outputs: "
            f"try {min(rows, height)}x{min(columns, width)} or smaller"
        )
    row = np.arange(height) // rows
    column = np.arange(width) // columns
    columns_of_tiles = column[-1] + 1
    return np.broadcast_to(row[:, None] * columns_of_tiles + column, shape)


@dataclass(frozen=True)
class Block(Structure):
    """Tiles of R inputs x C outputs, ``--block-size RxC``; of recurrent layers, C units.

    Attributes:
        rows, columns: of a tile.
    """

    rows: int
    columns: int

    shares_gates = True
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

    def fitting(self, shape: tuple[int, ...]) -> "Block":
        """Return these blocks for a kernel, made smaller until it has some to choose from.

        Args:
            shape: of the kernel, (spatial..., inputs, outputs).

        Raises:
            UsageError: the kernel has too few inputs or outputs.
        """
        inputs, outputs = shape[-2:]
        rows, columns = min(self.rows, inputs), min(self.columns, outputs)
        while _count(shape, rows, columns) < FEWEST_BLOCKS and max(rows, columns) > _SMALLEST:
            if rows >= columns:
                rows = -(-rows // 2)
            else:
                columns = -(-columns // 2)
        if inputs == 1 or _count(shape, rows, columns) == 1:
            raise UsageError(f"{inputs} x {outputs}: too few inputs and outputs for blocks")
        return Block(rows, columns)


def _count(shape: tuple[int, ...], rows: int, columns: int) -> int:
    return -(-shape[-2] // rows) * -(-shape[-1] // columns)
