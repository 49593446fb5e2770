"""The mean over channels, as a kernel (channels, 1) whose weights are all alike and never learned.

As a product with a constant matrix it is an operator that every NPU has. It has a kernel so that a
unit that is masked or removed is left out of it.
"""

from typing import Any

import keras
import numpy as np

from tinyprune.array_types import IntArray
from tinyprune.compress.kinds.channels import STAYS, UnitNumbers
from tinyprune.compress.kinds.dense import CompressedDense, Dense


@keras.saving.register_keras_serializable("tinyprune")
class ChannelMean(keras.layers.Dense):
    """``sum(x) / channels + offset`` over the last axis, (..., channels) -> (..., 1).

    ``channels`` is the number that it was made for: what is removed counts as 0.
    """


class CompressedChannelMean(CompressedDense, ChannelMean):
    """ChannelMean."""

    plain = ChannelMean


class Mean(Dense):
    """ChannelMean."""

    plain = ChannelMean
    compressed = CompressedChannelMean
    is_fixed = True
    takes_in_followers = False
    size_setting = None

    def units(self, layer: Any, read: IntArray, numbers: UnitNumbers) -> IntArray:
        """Return one channel that stays."""
        del layer, read, numbers
        return np.array([STAYS])


def channel_mean(channels: int, offset: float, name: str) -> ChannelMean:
    """Return the layer for that many channels."""
    return ChannelMean(
        units=1,
        kernel_initializer=keras.initializers.Constant(1 / channels),
        bias_initializer=keras.initializers.Constant(offset),
        trainable=False,
        name=name,
    )
