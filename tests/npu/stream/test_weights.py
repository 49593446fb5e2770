"""The order of weights: what the codec of Vela puts in an order is put back."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.quick import quick
from tinyprune.errors import TinypruneError
from tinyprune.npu.stream.order_u55 import KernelOrder
from tinyprune.npu.stream.weights import RecordFormat, channel_scales, decode

PLAIN = KernelOrder(
    outputs=19,
    height=3,
    width=2,
    inputs=37,
    is_depthwise=False,
    is_part_kernel=False,
    input_bits=8,
    block_depth=16,
    dilation_y=1,
    dilation_x=1,
    input_group=8,
    output_group=8,
)
ORDERS = {
    "plain": PLAIN,
    "one block": replace(PLAIN, block_depth=64),
    "part kernel": replace(PLAIN, is_part_kernel=True, inputs=5),
    "part kernel, 16 bit": replace(PLAIN, is_part_kernel=True, input_bits=16),
    "16 bit": replace(PLAIN, input_bits=16),
    "groups of 4": replace(PLAIN, output_group=4),
    "depthwise": replace(PLAIN, is_depthwise=True, inputs=1),
    "depthwise, 9 x 10": replace(PLAIN, is_depthwise=True, inputs=1, height=9, width=10),
    "9 x 10": replace(PLAIN, height=9, width=10, inputs=8),
    "dilated": replace(PLAIN, height=5, width=6, dilation_y=2, dilation_x=2),
    "dilated part kernel": replace(PLAIN, height=5, dilation_y=2, is_part_kernel=True),
}


def encode(kernel: np.ndarray, order: KernelOrder) -> bytes:
    from ethosu import mlw_codec

    stream, _ = mlw_codec.reorder_encode(
        order.input_group,
        order.output_group,
        kernel.astype(np.int16),
        order.block_depth,
        order.is_depthwise,
        order.is_part_kernel,
        order.input_bits,
        8 // order.dilation_y,
        8 // order.dilation_x,
    )
    return bytes(stream)


@pytest.mark.parametrize("order", quick(ORDERS, "plain", "depthwise", "part kernel", "dilated"))
def test_weights_come_back_from_the_order_of_the_hardware(order):
    kernel = np.random.default_rng(0).integers(-255, 256, order.shape)
    assert (decode([encode(kernel, order)], order) == kernel).all()


def test_a_stream_of_another_kernel_is_one_line():
    kernel = np.ones(PLAIN.shape, int)
    encoded = encode(kernel, PLAIN)
    with pytest.raises(TinypruneError, match="weights of a kernel"):
        decode([encoded], replace(PLAIN, inputs=70))
    with pytest.raises(TinypruneError, match="weights of a kernel"):
        decode([encoded], replace(PLAIN, output_group=4, outputs=5))


def test_a_record_has_bias_scale_and_shift():
    bias, scale, shift = -123_456_789_012, 0x7F00_0001, 41
    record = (bias % (1 << 40)).to_bytes(5, "little") + scale.to_bytes(4, "little") + bytes([shift])
    scales = channel_scales(np.frombuffer(record * 2, np.uint8), 2, RecordFormat.U55)
    assert scales.bias.tolist() == [bias] * 2
    assert (scales.scale[1], scales.shift[1]) == (scale, shift)
