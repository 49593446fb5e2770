"""Weights and biases as the NPU reads them: an encoded stream, and records of 10 bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np

from tinyprune.array_types import IntArray
from tinyprune.errors import TinypruneError

RECORD_BYTES = 10


class Order(Protocol):
    """The order of the weights of a kernel in the streams of an accelerator.

    Attributes:
        is_depthwise: whether every output channel reads one input channel.
        cores: number of streams.
    """

    @property
    def is_depthwise(self) -> bool: ...  # noqa: D102

    @property
    def cores(self) -> int: ...  # noqa: D102

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(outputs, height, width, inputs)."""

    def positions(self, core: int) -> IntArray:
        """Return for every value of a stream its place in the kernel (flat); -1: it only fills."""


def decode(streams: Sequence[bytes], order: Order) -> IntArray:
    """Return a kernel (outputs, height, width, inputs), zero points taken off.

    Raises TinypruneError for streams that are not those of that kernel.
    """
    kernel = np.zeros(int(np.prod(order.shape)), np.int64)
    for core, encoded in enumerate(streams):
        positions = order.positions(core)
        values = _decoded(encoded, len(positions), order)
        is_weight = positions >= 0
        if values[~is_weight].any():
            raise TinypruneError(
                f"the weights of a kernel {order.shape} lie in an order that is not expected: "
                "what fills their groups is not zero"
            )
        kernel[positions[is_weight]] = values[is_weight]
    return kernel.reshape(order.shape)


def _decoded(encoded: bytes, count: int, order: Order) -> IntArray:
    """Return the values of a stream; behind them are nothing but zeros."""
    from ethosu import mlw_codec

    values = np.array(mlw_codec.decode(bytearray(encoded)), np.int64)
    if len(values) < count or values[count:].any():
        raise TinypruneError(
            f"the weights of a kernel {order.shape} have {len(values)} values in the stream: "
            f"expected {count}"
        )
    return values[:count]


@dataclass(frozen=True, eq=False)
class ChannelScales:
    """Biases and scales of output channels.

    Attributes:
        bias: signed numbers.
        scale, shift: the output is ``(sum + bias) * scale / 2^shift``.
    """

    bias: IntArray
    scale: IntArray
    shift: IntArray


class RecordFormat(Enum):
    """The bytes of bias and scale in a record of 10; the shift is 6 bit of the byte behind."""

    U55 = (5, 4)
    U85 = (4, 4)
    U85_WIDE = (6, 2)


def channel_scales(records: np.ndarray, channels: int, form: RecordFormat) -> ChannelScales:
    """Return what the records of ``channels`` outputs hold."""
    fields = records[: channels * RECORD_BYTES].reshape(channels, RECORD_BYTES).astype(np.int64)
    bias_bytes, scale_bytes = form.value
    end = bias_bytes + scale_bytes
    places = 256 ** np.arange(bias_bytes)
    bias = fields[:, :bias_bytes] @ places
    bits = 8 * bias_bytes
    bias = np.where(bias >> (bits - 1), bias - (1 << bits), bias)
    scale = fields[:, bias_bytes:end] @ places[:scale_bytes]
    return ChannelScales(bias, scale, fields[:, end] & 0x3F)
