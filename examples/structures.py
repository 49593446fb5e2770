"""Show each structure on a kernel of 4 inputs x 4 outputs: half of the weights go.

``python examples/structures.py`` prints what docs/concepts.md shows.
"""

import numpy as np

from tinyprune.registry import IMPORTANCES
from tinyprune.sparsity.masks import masks
from tinyprune.sparsity.structure import parse

KERNEL = np.array(
    [
        [0.9, -0.2, 0.3, 0.0],
        [0.8, 0.1, -0.7, 0.2],
        [-0.1, 0.6, 0.4, -0.3],
        [0.2, -0.5, 0.1, 0.1],
    ]
)
STRUCTURES = (("weight", "16x16"), ("block", "2x2"), ("2:4", "16x16"), ("unit", "16x16"))
SPARSITY = 0.5


def show(name: str, block_size: str) -> None:
    """Print the kernel with one structure's mask."""
    structure = parse(name, block_size)
    ids = structure.groups(KERNEL.shape)
    importance = structure.ranked(IMPORTANCES["l1"](KERNEL, ids), KERNEL.shape)
    sparsity = SPARSITY if structure.fixed_sparsity is None else structure.fixed_sparsity
    [mask] = masks({"kernel": importance}, {"kernel": ids}, sparsity, "global").values()
    print(structure.label)
    for row, kept in zip(KERNEL, mask, strict=True):
        cells = [f"{value:4.1f}" if keep else "   ." for value, keep in zip(row, kept, strict=True)]
        print("  ".join(cells))


if __name__ == "__main__":
    for structure_name, size in STRUCTURES:
        show(structure_name, size)
        print()
