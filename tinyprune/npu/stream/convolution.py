"""CONV and DEPTHWISE: sums of products of windows and weights.

Sums are computed in float64, in which products of 16 by 9 bit are exact up to 2^28 of them, because
matrix products of floats are the fast ones.
"""

from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import Float64Array, IntArray
from tinyprune.npu.stream.memory import FeatureMap, FeatureMapView, Memory
from tinyprune.npu.stream.output import Output, OutputStage
from tinyprune.npu.stream.rescaling import Rescaling
from tinyprune.npu.stream.weights import (
    RECORD_BYTES,
    ChannelScales,
    Order,
    RecordFormat,
    channel_scales,
    decode,
)
from tinyprune.npu.stream.windows import Kernel


@dataclass(frozen=True)
class Constants:
    """The part of a region in which one of the cores finds its constants."""

    region: int
    start: int
    length: int


@dataclass(frozen=True)
class Convolution:
    """A convolution; one of 1 x 1 is a dense layer.

    Attributes:
        input: feature map.
        kernel: how it moves.
        order: of the weights.
        weights: where they are, for each core.
        scales: where biases and scales are; of several, the i-th has the outputs i, i + n, ...
        record: format of these.
        output: its output stage.
        block: rows and columns of positions that are computed with one pass over the weights.
    """

    input: FeatureMap
    kernel: Kernel
    order: Order
    weights: tuple[Constants, ...]
    scales: tuple[Constants, ...]
    record: RecordFormat
    output: OutputStage
    block: tuple[int, int]

    def bind(self, memory: Memory) -> "BoundConvolution":
        """Return this operation on a memory."""
        return BoundConvolution(self, memory)


@dataclass(frozen=True, eq=False)
class _Prepared:
    """Constants as they are computed with.

    Attributes:
        encoded: the bytes that they were made of.
        matrix: kernel (taps and inputs, outputs); of a depthwise one (height, width, outputs).
        bias: of each output.
        rescaling: of each output.
    """

    encoded: tuple[bytes, ...]
    matrix: Float64Array
    bias: IntArray
    rescaling: Rescaling


class BoundConvolution:
    """A convolution on a memory. Constants are decoded again only where their bytes changed."""

    def __init__(self, settings: Convolution, memory: Memory) -> None:
        self.settings = settings
        self._memory = memory
        self._input = FeatureMapView(settings.input, memory)
        self._output = Output(settings.output, memory)
        self._prepared: _Prepared | None = None

    def run(self) -> None:
        """Read the input, and write the output."""
        prepared = self._constants()
        kernel = self.settings.kernel
        height, width, channels = self.settings.output.shape
        values = self._input.read().astype(np.float64)
        if self.settings.input.zero_point:
            values -= self.settings.input.zero_point
        if kernel.is_point and not self.settings.order.is_depthwise:
            sums = values.reshape(height * width, -1) @ prepared.matrix
        else:
            seen = kernel.windows(values, 0, height, width)
            sums = self._products(seen, prepared.matrix)
        totals = sums.astype(np.int64).reshape(height, width, channels) + prepared.bias
        if self.settings.output.scale is None:
            self._output.write(totals, prepared.rescaling)
        else:
            self._output.write(totals)

    def _products(self, seen: np.ndarray, matrix: Float64Array) -> Float64Array:
        """Return the sums (rows, columns, outputs) of windows and weights."""
        if not self.settings.order.is_depthwise:
            height, width = seen.shape[:2]
            return seen.reshape(height * width, -1) @ matrix
        total = np.zeros((*seen.shape[:2], matrix.shape[2]))
        for row in range(matrix.shape[0]):
            for column in range(matrix.shape[1]):
                total += seen[:, :, row, column] * matrix[row, column]
        return total

    def _constants(self) -> _Prepared:
        """Return weights, biases and scales as they are in memory now."""
        parts = (*self.settings.weights, *self.settings.scales)
        encoded = tuple(
            self._memory.span(part.region, part.start, part.length).tobytes() for part in parts
        )
        if self._prepared is None or self._prepared.encoded != encoded:
            self._prepared = self._prepare(encoded)
        return self._prepared

    def _prepare(self, encoded: tuple[bytes, ...]) -> _Prepared:
        order = self.settings.order
        kernel = decode(encoded[: order.cores], order)
        scales = self._scales(encoded[order.cores :])
        rescaling = Rescaling(scales.scale, scales.shift, self.settings.output.rounding)
        return _Prepared(encoded, _matrix(kernel, order), scales.bias, rescaling)

    def _scales(self, parts: tuple[bytes, ...]) -> ChannelScales:
        """Return biases and scales of all outputs."""
        outputs = self.settings.order.shape[0]
        scales = ChannelScales(*np.zeros((3, outputs), np.int64))
        for core, part in enumerate(parts):
            own = slice(core, outputs, len(parts))
            count = len(range(core, outputs, len(parts)))
            found = channel_scales(np.frombuffer(part, np.uint8), count, self.settings.record)
            scales.bias[own] = found.bias
            scales.scale[own] = found.scale
            scales.shift[own] = found.shift
        return scales


def _matrix(kernel: IntArray, order: Order) -> Float64Array:
    """Return a kernel in the order in which windows are multiplied."""
    if order.is_depthwise:
        return kernel[..., 0].transpose(1, 2, 0).astype(np.float64)
    return np.ascontiguousarray(kernel.reshape(order.shape[0], -1).T, np.float64)


def scale_bytes(outputs: int) -> int:
    """Return the length of the records of biases and scales."""
    return outputs * RECORD_BYTES
