"""The blocks that pay on an accelerator: what is left of a kernel becomes small dense operators."""

from tinyprune.artifacts.resources import NpuTarget
from tinyprune.sparsity.block import DEFAULT_BLOCK

#: Every operator of these begins with about 1000 cycles where weights are in DRAM, and products of
#: fewer than 64 inputs are several times dearer.
_OF_FAMILIES = {"ethos-u65": "64x128", "ethos-u85": "64x128"}


def block_size(target: NpuTarget) -> str:
    """Return the size of blocks for a target, inputs x outputs."""
    return _OF_FAMILIES.get(target.family, DEFAULT_BLOCK)
