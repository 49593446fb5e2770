"""The order of weights of Ethos-U85: every weight once, and a small kernel by hand."""

from dataclasses import replace

import numpy as np
import pytest

from tinyprune.npu.stream.order_u85 import KernelOrderU85

PLAIN = KernelOrderU85(
    outputs=21,
    height=3,
    width=4,
    inputs=70,
    is_depthwise=False,
    is_part_kernel=False,
    is_sparse=False,
    input_bits=8,
    block_depth=16,
    stride_y=1,
    stride_x=1,
    dilation_y=1,
    dilation_x=1,
    output_group=8,
    macs=256,
    cores=1,
)
ORDERS = {
    "plain": PLAIN,
    "four streams": replace(PLAIN, cores=4, output_group=16, macs=1024),
    "part kernel": replace(PLAIN, is_part_kernel=True, stride_x=2),
    "part kernel, 16 bit": replace(PLAIN, is_part_kernel=True, input_bits=16, stride_y=2),
    "sparse": replace(PLAIN, is_sparse=True, is_part_kernel=True),
    "depthwise": replace(PLAIN, is_depthwise=True, inputs=1, height=9, width=10),
    "depthwise with filler": replace(PLAIN, is_depthwise=True, inputs=1, macs=512),
    "dilated": replace(PLAIN, height=5, width=5, dilation_y=2, dilation_x=2),
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_every_weight_is_in_one_place_of_one_stream(order):
    streams = [order.positions(core) for core in range(order.cores)]
    positions = np.concatenate(streams)
    weights = int(np.prod(order.shape))
    assert np.sort(positions[positions >= 0]).tolist() == list(range(weights))


def test_a_kernel_of_two_taps_by_hand():
    # 4 outputs, 2 inputs, taps (0, 1). Part kernel: taps are filled up to 5, inputs up to 16 in runs
    # of 8; a tap has the first run of outputs 0 to 3 (and 4 to 7, which are not there), then the second.
    order = replace(PLAIN, outputs=4, inputs=2, height=1, width=2, is_part_kernel=True)
    positions = order.positions(0).reshape(5, 2, 8, 8)  # taps, runs, outputs, inputs
    for tap in range(2):
        for output in range(4):
            expected = [(output * 2 + tap) * 2, (output * 2 + tap) * 2 + 1]
            assert positions[tap, 0, output, :2].tolist() == expected
    assert (positions >= 0).sum() == 16
