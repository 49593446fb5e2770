"""The order of weights in the streams of Ethos-U85.

For every block of output channels and every run of input channels, forwards and backwards in turn:
parts of the kernel; in each, groups of outputs that are computed at once; for each of these, the
taps, row by row in a serpentine, one phase of the stride after the other. A tap has runs of 8 input
channels of 4 outputs beside each other; with several streams, these fours take turns.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import IntArray

_SUBKERNEL = 8
_FOUR = 4
_INNER_INPUTS = 8
_DEPTHWISE_TAPS = 10


@dataclass(frozen=True)
class KernelOrderU85:
    """The facts that the order of weights follows from.

    Attributes:
        outputs, height, width, inputs: shape of the kernel; a depthwise one has one input.
        is_depthwise: whether every output channel reads one input channel.
        is_part_kernel: taps are the inner loop, which suits few input channels.
        is_sparse: two of four inputs beside each other are zero.
        input_bits: of an element of the input.
        block_depth: output channels of a block.
        stride_y, stride_x, dilation_y, dilation_x: of the kernel.
        output_group: outputs that are computed at once.
        macs: multiply-accumulates per cycle of the accelerator.
        cores: number of streams.
    """

    outputs: int
    height: int
    width: int
    inputs: int
    is_depthwise: bool
    is_part_kernel: bool
    is_sparse: bool
    input_bits: int
    block_depth: int
    stride_y: int
    stride_x: int
    dilation_y: int
    dilation_x: int
    output_group: int
    macs: int
    cores: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(outputs, height, width, inputs)."""
        return self.outputs, self.height, self.width, self.inputs

    @property
    def input_run(self) -> int:
        """Input channels that are read before the next part of the kernel."""
        if self.is_depthwise:
            return 1
        return 16 if self.is_part_kernel else 64

    @property
    def _input_step(self) -> int:
        """Input channels of one pass over the taps."""
        if self.is_part_kernel and self.input_bits == 16 and not self.is_sparse:
            return _INNER_INPUTS
        return self.input_run

    @property
    def _inner_inputs(self) -> int:
        """Input channels of one output that lie beside each other."""
        if self.is_depthwise:
            return 1
        return 2 * _INNER_INPUTS if self.is_sparse else _INNER_INPUTS

    @property
    def _tap_step(self) -> int:
        """Multiple that the taps of a part are filled up to."""
        if self.is_depthwise:
            return _DEPTHWISE_TAPS
        if not self.is_part_kernel:
            return 1
        return 10 if self.input_bits == 16 or self.is_sparse else 5

    @property
    def _depthwise_filler(self) -> int:
        """Values per output that follow ten taps of a depthwise kernel."""
        if self.input_bits == 8 and self.macs <= 256:
            return 0
        return 2 if self.macs <= 512 else 6

    def positions(self, core: int) -> IntArray:
        """Return for every value of a stream its place in the kernel (flat); -1: it only fills."""
        parts = []
        runs = range(0, self.inputs, self.input_run)
        for number, first_output in enumerate(range(0, self.outputs, self.block_depth)):
            ordered = runs if number % 2 == 0 else reversed(runs)
            for first_input in ordered:
                for rows, columns in self._subkernels():
                    parts += self._passes(core, first_output, first_input, rows, columns)
        return np.concatenate(parts)

    def _subkernels(self) -> Iterator[tuple[range, range]]:
        """Yield rows and columns of the parts that a kernel is cut into, column by column."""
        most_rows = _SUBKERNEL // self.dilation_y
        most_columns = _SUBKERNEL // self.dilation_x
        for column in range(0, self.width, most_columns):
            columns = range(column, min(column + most_columns, self.width))
            for row in range(0, self.height, most_rows):
                yield range(row, min(row + most_rows, self.height)), columns

    def _passes(
        self, core: int, first_output: int, first_input: int, rows: range, columns: range
    ) -> list[IntArray]:
        """Return the positions of a part of the kernel, pass by pass."""
        taps = np.array(list(self._taps(rows, columns)), np.int64)
        depth = min(self.block_depth, self.outputs - first_output)
        count = min(self.input_run, self.inputs - first_input)
        passes = []
        for inputs in range(first_input, first_input + count, self._input_step):
            for outputs in range(first_output, first_output + depth, self.output_group):
                passes.append(self._pass(core, outputs, inputs, taps))
        return passes

    def _taps(self, rows: range, columns: range) -> Iterator[int]:
        """Yield the taps of a part (row * width + column) in their order."""
        step_y, step_x = self.stride_y, self.stride_x
        if not self.is_part_kernel and not self.is_depthwise:
            step_y, step_x = 1, 1
        for phase_y in range(step_y):
            for phase_x in range(step_x):
                for number, row in enumerate(rows[phase_y::step_y]):
                    along = columns[phase_x::step_x]
                    for column in along if number % 2 == 0 else reversed(along):
                        yield row * self.width + column

    def _pass(self, core: int, first_output: int, first_input: int, taps: IntArray) -> IntArray:
        """Return the positions of the taps for one group of outputs."""
        step = self._inner_inputs
        inputs = np.arange(first_input, first_input + self._input_step).reshape(-1, step)
        fours = np.arange(self.output_group).reshape(-1, _FOUR)[core :: self.cores]
        outputs = (first_output + fours).ravel()
        # Axes: taps, runs of inputs, outputs, inputs of a run.
        tap = taps[:, None, None, None]
        run = inputs[None, :, None, :]
        output = outputs[None, None, :, None]
        size = self.height * self.width
        places = (output * size + tap) * self.inputs + run
        is_weight = (output < self.outputs) & (run < self.inputs)
        by_tap = np.where(is_weight, places, -1).reshape(len(taps), -1)
        return self._filled(by_tap)

    def _filled(self, by_tap: IntArray) -> IntArray:
        """Return the positions of taps (taps, values) with what fills them up."""
        taps, values = by_tap.shape
        missing = -taps % self._tap_step
        filled = np.concatenate([by_tap, np.full((missing, values), -1)])
        if self.is_depthwise and self._depthwise_filler:
            tens = filled.reshape(-1, _DEPTHWISE_TAPS * values)
            filler = np.full((len(tens), self._depthwise_filler * values), -1)
            filled = np.concatenate([tens, filler], axis=1)
        return filled.ravel()
