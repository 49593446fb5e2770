"""``unit``: everything that computes one output channel or neuron lives and dies together."""

import numpy as np

from tinyprune.array_types import IntArray


def groups(shape: tuple[int, ...]) -> IntArray:
    """All weights of one output: a neuron or a channel, the last axis of the kernel.

    Ids are those of one kernel alone, of its shape (spatial..., inputs, outputs). Units that
    several kernels share (residual sums, the four gates of an LSTM) are numbered by
    ``coupling.py``.
    """
    return np.tile(np.arange(shape[-1], dtype=np.int64), (*shape[:-1], 1))
