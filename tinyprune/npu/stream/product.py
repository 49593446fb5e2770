"""CONV of Ethos-U85 with a second feature map in place of weights: a product of two matrices."""

import math
from dataclasses import dataclass

import numpy as np

from tinyprune.npu.stream.memory import FeatureMap, FeatureMapView, Memory
from tinyprune.npu.stream.output import Output, OutputStage


@dataclass(frozen=True)
class Product:
    """A product of two feature maps, over their channels.

    Attributes:
        first: (height, width, channels).
        second: (1, outputs, channels), where a convolution has its weights.
        output: its output stage, of (height, width, outputs).
    """

    first: FeatureMap
    second: FeatureMap
    output: OutputStage

    @property
    def macs(self) -> int:
        """Products of two numbers."""
        return math.prod(self.output.shape) * self.first.shape[2]

    def bind(self, memory: Memory) -> "BoundProduct":
        """Return this operation on a memory."""
        return BoundProduct(self, memory)


class BoundProduct:
    """A product of two feature maps in a memory."""

    def __init__(self, settings: Product, memory: Memory) -> None:
        self.settings = settings
        self._first = FeatureMapView(settings.first, memory)
        self._second = FeatureMapView(settings.second, memory)
        self._output = Output(settings.output, memory)

    def run(self) -> None:
        """Read both feature maps, and write the output."""
        # In float64, in which sums of products of 9 bit are exact, because that is the fast way.
        first = self._first.values().astype(np.float64)
        second = self._second.values()[0].astype(np.float64)
        self._output.write((first @ second.T).astype(np.int64))
