"""ELEMENTWISE: arithmetic of one or two feature maps, or of one and a number."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np

from tinyprune.array_types import IntArray
from tinyprune.npu.stream.memory import FeatureMap, FeatureMapView, Memory
from tinyprune.npu.stream.output import Output, OutputStage
from tinyprune.npu.stream.rescaling import Rescaling, Rounding


class ElementwiseMode(Enum):
    """An elementwise operation, by its number in the stream."""

    MUL = 0
    ADD = 1
    SUB = 2
    MIN = 3
    MAX = 4
    LRELU = 5
    ABS = 6
    CLZ = 7
    SHR = 8
    SHL = 9

    @property
    def is_unary(self) -> bool:
        """True where it has one operand."""
        return self in (ElementwiseMode.ABS, ElementwiseMode.CLZ)


@dataclass(frozen=True)
class Operand:
    """An operand.

    Attributes:
        feature_map: where it is; axes of 1 are repeated over the output.
        scalar: the number instead, its zero point taken off.
        left: bits that it is shifted left first.
        scale, shift, rounding: its rescaling before the operation.
    """

    feature_map: FeatureMap | None
    scalar: int = 0
    scale: int = 1
    shift: int = 0
    rounding: Rounding = Rounding.DOUBLE
    left: int = 0


@dataclass(frozen=True)
class Elementwise:
    """An elementwise operation.

    Attributes:
        mode: what is computed.
        first, second: operands, in the order of the computation; of LRELU the same feature map with
            the scale of what is positive and the scale of what is negative.
        output: its output stage.
    """

    mode: ElementwiseMode
    first: Operand
    second: Operand | None
    output: OutputStage

    def bind(self, memory: Memory) -> "BoundElementwise":
        """Return this operation on a memory."""
        return BoundElementwise(self, memory)


class _BoundOperand:
    """An operand in a memory."""

    def __init__(self, operand: Operand, memory: Memory) -> None:
        self._operand = operand
        self._view = None
        if operand.feature_map is not None:
            self._view = FeatureMapView(operand.feature_map, memory)
        self._rescaling = Rescaling(operand.scale, operand.shift, operand.rounding)
        self._scalar = np.full((1, 1, 1), operand.scalar, np.int64)

    def values(self) -> IntArray:
        """Return its scaled elements."""
        values = self._scalar if self._view is None else self._view.values()
        return self._rescaling(values << self._operand.left)


class BoundElementwise:
    """An elementwise operation on a memory."""

    def __init__(self, settings: Elementwise, memory: Memory) -> None:
        self.settings = settings
        self._first = _BoundOperand(settings.first, memory)
        self._second = None
        if settings.second is not None:
            self._second = _BoundOperand(settings.second, memory)
        self._output = Output(settings.output, memory)
        self._shape = settings.output.shape

    def run(self) -> None:
        """Read the operands, and write the output."""
        first = self._first.values()
        if self._second is None:
            values = self._unary(first)
        else:
            values = self._binary(first, self._second.values())
        self._output.write(np.broadcast_to(values, self._shape))

    def _unary(self, values: IntArray) -> IntArray:
        mode = self.settings.mode
        if mode is ElementwiseMode.ABS:
            return np.abs(values)
        return leading_zeros(values)

    def _binary(self, first: IntArray, second: IntArray) -> IntArray:
        mode = self.settings.mode
        if mode is ElementwiseMode.SHR:
            return _shifted_right(first, second, self.settings.output.rounding)
        if mode is ElementwiseMode.SHL:
            return _wrapped(first << second)
        return _ARITHMETIC[mode](first, second)


def _leaky(positive: IntArray, negative: IntArray) -> IntArray:
    is_negative = (positive < 0) | (negative < 0)
    return np.where(is_negative, negative, positive)


_ARITHMETIC: Mapping[ElementwiseMode, Callable[[IntArray, IntArray], IntArray]] = {
    ElementwiseMode.MUL: np.multiply,
    ElementwiseMode.ADD: np.add,
    ElementwiseMode.SUB: np.subtract,
    ElementwiseMode.MIN: np.minimum,
    ElementwiseMode.MAX: np.maximum,
    ElementwiseMode.LRELU: _leaky,
}


def leading_zeros(values: IntArray) -> IntArray:
    """Return the number of zero bits before the first one, of numbers of 32 bit."""
    _, exponents = np.frexp(np.maximum(values, 0).astype(np.float64))
    return np.where(values < 0, 0, 32 - exponents.astype(np.int64))


def _shifted_right(values: IntArray, bits: IntArray, rounding: Rounding) -> IntArray:
    if rounding is Rounding.TRUNCATE:
        return values >> bits
    half = (np.int64(1) << bits) >> 1
    return (values + half) >> bits


def _wrapped(values: IntArray) -> IntArray:
    """Return the low 32 bits as signed numbers."""
    return values.astype(np.int32).astype(np.int64)
