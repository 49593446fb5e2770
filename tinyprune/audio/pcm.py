"""Samples as integers, rounded to the nearest one.

libsndfile cuts off what does not fit into the bits of a sample when it is given floats, which puts
half a step of DC onto 8-bit files. It is given integers instead.
"""

import numpy as np

from tinyprune.array_types import Float32Array, IntArray

#: Bits of one sample, by libsndfile's name of the subtype.
BITS = {
    "PCM_U8": 8,
    "PCM_S8": 8,
    "PCM_16": 16,
    "PCM_24": 24,
    "PCM_32": 32,
    "FLOAT": 32,
    "DOUBLE": 64,
    "ULAW": 8,
    "ALAW": 8,
}


def is_integer(subtype: str) -> bool:
    """True for samples that are evenly spaced integers, which cannot pass full scale."""
    return subtype.startswith("PCM")


def to_subtype(block: Float32Array, subtype: str) -> Float32Array | IntArray:
    """Return samples (n, channels), full scale 1, as libsndfile takes them without cutting off.

    Samples of PCM subtypes become int32 whose highest bits are the sample:
    ``round(x * 2^(bits - 1))``, limited to what the bits hold. Others stay floats.
    """
    if not is_integer(subtype):
        return block
    bits = BITS[subtype]
    highest = 2 ** (bits - 1) - 1
    steps = np.rint(block.astype(np.float64) * 2 ** (bits - 1))
    limited = np.clip(steps, -highest - 1, highest).astype(np.int64)
    return (limited << (32 - bits)).astype(np.int32)
