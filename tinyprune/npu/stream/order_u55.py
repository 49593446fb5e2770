"""The order of weights in the stream of Ethos-U55 and U65.

For every block of output channels, every run of input channels and every part of the
kernel, the taps; for every tap the input channels in groups, and in each group the output channels
that are computed at once. What does not fill a group is zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tinyprune.array_types import IntArray

SUBKERNEL = 8


@dataclass(frozen=True)
class KernelOrder:
    """The facts that the order of weights follows from.

    Attributes:
        outputs, height, width, inputs: shape of the kernel; a depthwise one has one input.
        is_depthwise: whether every output channel reads one input channel.
        is_part_kernel: taps are the inner loop, which suits few input channels.
        input_bits: of an element of the input.
        block_depth: output channels of a block.
        dilation_y, dilation_x: distance of taps.
        input_group, output_group: channels that a unit reads and computes at once.
        cores: number of cores, each with a stream; core i has the outputs i, i + cores, ...
    """

    outputs: int
    height: int
    width: int
    inputs: int
    is_depthwise: bool
    is_part_kernel: bool
    input_bits: int
    block_depth: int
    dilation_y: int
    dilation_x: int
    input_group: int
    output_group: int
    cores: int = 1

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(outputs, height, width, inputs)."""
        return self.outputs, self.height, self.width, self.inputs

    @property
    def input_run(self) -> int:
        """Input channels that are read before the next part of the kernel."""
        if self.is_part_kernel or self.input_bits == 16:
            return 16
        return 32

    def positions(self, core: int) -> IntArray:
        """Return for every value of a stream its place in the kernel (flat); -1: it only fills."""
        outputs = len(range(core, self.outputs, self.cores))
        depth = (self.block_depth + self.cores - 1 - core) // self.cores
        own = stream_positions(replace(self, outputs=outputs, block_depth=depth, cores=1))
        size = self.height * self.width * self.inputs
        output, rest = np.divmod(own, size)
        return np.where(own < 0, -1, (core + output * self.cores) * size + rest)


def stream_positions(order: KernelOrder) -> IntArray:
    """Return for every value of one stream its place in the kernel (flat); -1: it only fills."""
    parts = []
    for first_output in range(0, order.outputs, order.block_depth):
        block = min(order.block_depth, order.outputs - first_output)
        outputs = _padded_range(first_output, block, order.output_group)
        for inputs in _input_runs(order):
            for rows, columns in _subkernels(order):
                parts.append(_part(order, outputs, inputs, rows, columns))
    return np.concatenate(parts)


def _padded_range(first: int, count: int, group: int) -> IntArray:
    """Return numbers from ``first`` in groups (groups, group), the last one filled up."""
    groups = -(-count // group)
    return first + np.arange(groups * group).reshape(groups, group)


def _input_runs(order: KernelOrder) -> Iterator[IntArray]:
    """Yield the numbers of input channels (groups, group) of every run."""
    if order.is_depthwise:
        yield np.zeros((1, 1), np.int64)
        return
    for first in range(0, order.inputs, order.input_run):
        count = order.input_run
        if order.is_part_kernel:
            count = min(count, order.inputs - first)
        yield _padded_range(first, count, order.input_group)


def _subkernels(order: KernelOrder) -> Iterator[tuple[range, range]]:
    """Yield rows and columns of the parts that a kernel is cut into."""
    most_rows = SUBKERNEL // order.dilation_y
    most_columns = SUBKERNEL // order.dilation_x
    for row in range(0, order.height, most_rows):
        rows = range(row, min(row + most_rows, order.height))
        for column in range(0, order.width, most_columns):
            yield rows, range(column, min(column + most_columns, order.width))


def _part(
    order: KernelOrder, outputs: IntArray, inputs: IntArray, rows: range, columns: range
) -> IntArray:
    """Return the positions of one block, run and subkernel, flat."""
    taps = np.arange(_padded_taps(order, len(rows) * len(columns)))
    tap_rows, tap_columns = np.divmod(taps, len(columns))
    is_tap = tap_rows < len(rows)
    row = (rows.start + tap_rows)[:, None, None, None]
    column = (columns.start + tap_columns)[:, None, None, None]

    # Axes of a tap: groups of inputs, outputs of a group, inputs of a group.
    group_in = inputs[:, None, :]
    by_group = []
    for group in outputs:
        output = group[None, :, None]
        place = ((output * order.height + row) * order.width + column) * order.inputs + group_in
        is_weight = (group_in < order.inputs) & (output < order.outputs)
        by_group.append(np.where(is_weight & is_tap[:, None, None, None], place, -1))
    places = np.stack(by_group)  # (output groups, taps, input groups, outputs, inputs)
    if order.is_part_kernel:
        places = places.transpose(2, 0, 1, 3, 4)
    return places.ravel()


def _padded_taps(order: KernelOrder, taps: int) -> int:
    """Return the number of taps that are read: a unit takes several at once."""
    step = 1
    if order.is_part_kernel:
        step = 2 if order.input_bits == 16 else 4
    elif order.is_depthwise:
        step = 4
    return -(-taps // step) * step
