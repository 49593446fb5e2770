"""POOL: the largest, the mean or the sum of windows."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from tinyprune.array_types import IntArray
from tinyprune.npu.stream.memory import FeatureMap, FeatureMapView, Memory
from tinyprune.npu.stream.output import Output, OutputStage
from tinyprune.npu.stream.windows import Kernel

_LEAST = -(1 << 40)


class PoolingMode(Enum):
    """A kind of pooling.

    Attributes:
        MAX: the largest element of a window.
        AVERAGE, SUM: their sum; where it is not divided, the scale of the output stage does it.
        SUM_OF_CHANNELS: the sum over channels too, so that the output has one.
    """

    MAX = 0
    AVERAGE = 1
    SUM_OF_CHANNELS = 2
    SUM = 3


@dataclass(frozen=True)
class Pooling:
    """A pooling.

    Attributes:
        mode: what is made of a window.
        input: feature map.
        kernel: the window and how it moves.
        divides: whether the sum is divided by the number of elements that are no padding.
        output: its output stage.
    """

    mode: PoolingMode
    input: FeatureMap
    kernel: Kernel
    divides: bool
    output: OutputStage

    def bind(self, memory: Memory) -> "BoundPooling":
        """Return this operation on a memory."""
        return BoundPooling(self, memory)


class BoundPooling:
    """A pooling on a memory."""

    def __init__(self, settings: Pooling, memory: Memory) -> None:
        self.settings = settings
        self._input = FeatureMapView(settings.input, memory)
        self._output = Output(settings.output, memory)
        self._counts = None
        if settings.divides:
            self._counts = self._inside()

    def run(self) -> None:
        """Read the input, and write the output."""
        self._output.write(self._pooled(self._input.values()))

    def _pooled(self, values: IntArray) -> IntArray:
        mode, kernel = self.settings.mode, self.settings.kernel
        height, width, _ = self.settings.output.shape
        if mode is PoolingMode.MAX:
            return kernel.windows(values, _LEAST, height, width).max(axis=(2, 3))
        sums = values
        if not kernel.is_point:
            sums = kernel.windows(values, 0, height, width).sum(axis=(2, 3))
        if mode is PoolingMode.SUM_OF_CHANNELS:
            return sums.sum(axis=-1, keepdims=True)
        if self._counts is None:
            return sums
        # Halves go away from zero, as in TFLite.
        means = (np.abs(sums) + self._counts // 2) // self._counts
        return np.sign(sums) * means

    def _inside(self) -> IntArray:
        """Return how many elements of each window are no padding (height, width, 1)."""
        rows, columns, _ = self.settings.input.shape
        height, width, _ = self.settings.output.shape
        inside = self.settings.kernel.is_inside(rows, columns, height, width)
        return inside.sum(axis=(2, 3), dtype=np.int64)[..., None]
