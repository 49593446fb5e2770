"""Means over channels, as kernels whose weights are all alike, or 0, and never learned.

As a product with a constant matrix a mean is an operator that every NPU has. It has a kernel so
that a unit that is masked or removed is left out of it.
"""

from typing import Any

import keras
import numpy as np

from tinyprune.array_types import Float32Array, IntArray
from tinyprune.compress.kinds.channels import STAYS, UnitNumbers
from tinyprune.compress.kinds.dense import CompressedDense, Dense


@keras.saving.register_keras_serializable("tinyprune")
class ChannelMean(keras.layers.Dense):
    """``sum(x) / channels + offset`` over the last axis, (..., channels) -> (..., 1).

    ``channels`` is the number that it was made for: what is removed counts as 0.
    """


@keras.saving.register_keras_serializable("tinyprune")
class GroupMean(keras.layers.Dense):
    """For each channel the mean over its group plus an offset, (..., channels) to the same.

    Groups lie side by side. What is removed counts as 0 in its group.
    """


class CompressedChannelMean(CompressedDense, ChannelMean):
    """ChannelMean."""

    plain = ChannelMean


class CompressedGroupMean(CompressedDense, GroupMean):
    """GroupMean."""

    plain = GroupMean


class Mean(Dense):
    """ChannelMean."""

    plain = ChannelMean
    compressed = CompressedChannelMean
    is_fixed = True
    takes_in_followers = False
    size_setting: str | None = None

    def units(self, layer: Any, read: IntArray, numbers: UnitNumbers) -> IntArray:
        """Return one channel that stays."""
        del layer, read, numbers
        return np.array([STAYS])


class MeanOfGroups(Mean):
    """GroupMean: a unit goes on as it is, with a column beside its row."""

    plain = GroupMean
    compressed = CompressedGroupMean
    size_setting = "units"

    def units(self, layer: Any, read: IntArray, numbers: UnitNumbers) -> IntArray:
        """Return the units that it reads."""
        del layer, numbers
        return read


def channel_mean(channels: int, offset: float, name: str) -> ChannelMean:
    """Return the layer for that many channels."""
    return ChannelMean(
        units=1,
        kernel_initializer=keras.initializers.Constant(1 / channels),
        bias_initializer=keras.initializers.Constant(offset),
        trainable=False,
        name=name,
    )


def group_mean(channels: int, name: str) -> GroupMean:
    """Return the layer for that many channels; :func:`group_weights` are its weights."""
    return GroupMean(channels, trainable=False, name=name)


def group_weights(channels: int, groups: int, offset: float) -> list[Float32Array]:
    """Return the kernel (channels, channels) and the bias (channels,) of a GroupMean."""
    of_group = channels // groups
    kernel = np.kron(np.eye(groups), np.full((of_group, of_group), 1 / of_group))
    return [kernel.astype(np.float32), np.full(channels, offset, np.float32)]
