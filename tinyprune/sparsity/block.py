"""``block``: the weights of one tile of the kernel's matrix live and die together."""

import numpy as np

from tinyprune.array_types import IntArray
from tinyprune.errors import UsageError


def groups(shape: tuple[int, ...], rows: int, columns: int) -> IntArray:
    """Tiles of rows x columns of the (spatial * inputs, outputs) matrix, ``--block-size RxC``.

    Tiles are numbered row by row; those at the last rows and columns are smaller where the size
    does not divide the matrix. A convolution's matrix has one row per spatial position and input:
    ``(kh * kw * inputs, outputs)``.

    Args:
        shape: of the kernel, (spatial..., inputs, outputs).
        rows, columns: of a tile.

    Returns:
        The tile of each weight, of the kernel's shape.

    Raises:
        UsageError: a tile is larger than the matrix in one direction or the other.
    """
    height, width = int(np.prod(shape[:-1])), shape[-1]
    if rows > height or columns > width:
        raise UsageError(
            f"a block of {rows}x{columns} is larger than the kernel of shape {shape}, a matrix of {height}x{width}:"
            f" try {min(rows, height)}x{min(columns, width)} or smaller"
        )
    row, column = np.arange(height) // rows, np.arange(width) // columns
    return (row[:, None] * (column[-1] + 1) + column).reshape(shape)
