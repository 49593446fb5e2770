"""The functions of a cell as operators: sigmoid and tanh, or the clips that take their place.

A 16-bit sum saturates at both ends of its grid. On a grid that ends at one it is
``clip(x, -1, 1)``, and with a fused ReLU ``clip(x, 0, 1)``, so a hard function takes no operator.
``hard_sigmoid(x) = clip(x / 6 + 0.5, 0, 1)`` (Courbariaux et al. 2015, arXiv 1511.00363) wants a
sixth of its argument. So everything that a cell with hard gates computes before its functions is in
sixths: the same integers, weights with a scale six times smaller. Where the candidate is clipped
too, it stays in sixths, and so does what is carried from frame to frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyprune.tflite.cells.network_writer import ONE_IN_INT16, NetworkWriter, Numbers, Value

#: Keras' names of what is exact in 16 bits.
HARD_SIGMOID, HARD_TANH = "hard_sigmoid", "hard_tanh"
_SIXTHS = 6
#: Arguments of sigmoid and tanh, with a scale for which TFLite has exact tables.
_ARGUMENT = Numbers("int16", 8 / 32768)
_ONE = Numbers("int16", ONE_IN_INT16)
_HALF_OF_INT16 = 16384


@dataclass(frozen=True)
class _BeforeGates:
    """The form of products. Attributes: as of :class:`CellFunctions`."""

    divisor: int
    offset: float
    product: Numbers


#: Hard gates -> the form of what they are functions of.
_BEFORE_GATES = {
    # Beyond 16 either way every gate is closed or open.
    False: _BeforeGates(1, 0.0, Numbers("int16", 16 / 32768)),
    # Up to 24 either way: sums of it reach their grids by whole factors.
    True: _BeforeGates(_SIXTHS, 3.0, Numbers("int16", 4 / 32768)),
}


@dataclass(frozen=True)
class CellFunctions:
    """The functions of one layer.

    Attributes:
        hard_gates: whether its ``recurrent_activation`` is a hard sigmoid.
        hard_values: whether its ``activation`` is a hard tanh.
    """

    hard_gates: bool = False
    hard_values: bool = False

    @property
    def divisor(self) -> int:
        """Divisor of products."""
        return _BEFORE_GATES[self.hard_gates].divisor

    @property
    def value_divisor(self) -> int:
        """Divisor of the candidate, and of what is carried from frame to frame."""
        return self.divisor if self.hard_values else 1

    @property
    def offset(self) -> float:
        """Summand of the biases of gates, before they are divided."""
        return _BEFORE_GATES[self.hard_gates].offset

    @property
    def product(self) -> Numbers:
        """The grid of products."""
        return _BEFORE_GATES[self.hard_gates].product

    @property
    def sum(self) -> Numbers:
        """The grid of a product that is the whole argument: of gates where these are hard."""
        return _ONE if self.hard_gates else _ARGUMENT

    @property
    def argument(self) -> Numbers | None:
        """The one grid of the arguments of all functions; None where each has its own."""
        return None if self.hard_gates or self.hard_values else _ARGUMENT

    def divided(self, numbers: Numbers) -> Numbers:
        """Return the grid of a candidate, or of what is carried, divided as these are."""
        return Numbers(numbers.dtype, numbers.scale / self.value_divisor, numbers.zero_point)

    def gates(self, writer: NetworkWriter, name: str, terms: Sequence[Value]) -> Value:
        """Return gates of the sum of one or two terms, on the grid of one in 16 bits."""
        if self.hard_gates:
            return _summed(writer, name, terms, _ONE, is_positive=True)
        summed = _argument(writer, f"{name}_sum", terms, _ARGUMENT)
        return writer.sigmoid(name, summed)

    def candidate(self, writer: NetworkWriter, name: str, terms: Sequence[Value]) -> Value:
        """Return the candidate of the sum of one or two terms, :meth:`divided`."""
        if self.hard_values:
            return _summed(writer, name, terms, self.divided(_ONE))
        if not self.hard_gates:
            summed = _argument(writer, f"{name}_sum", terms, _ARGUMENT)
            return writer.tanh(name, summed)
        in_sixths = Numbers("int16", _ARGUMENT.scale / _SIXTHS)
        summed = _argument(writer, f"{name}_sum", terms, in_sixths)
        whole = _multiplied(writer, f"{name}_whole", summed, _SIXTHS, _ARGUMENT)
        return writer.tanh(name, whole)

    def squashed(self, writer: NetworkWriter, name: str, cell: Value) -> Value:
        """Return the function of the candidate of a cell state that is carried, not divided."""
        if self.hard_values:
            return _multiplied(writer, name, cell, self.value_divisor, _ONE)
        return writer.tanh(name, cell)


def _argument(writer: NetworkWriter, name: str, terms: Sequence[Value], made: Numbers) -> Value:
    """Return the argument of a function: the sum of two terms on a grid, a single one as it is."""
    if len(terms) == 1:
        return terms[0]
    one, other = terms
    return writer.add(name, one, other, made)


def _summed(
    writer: NetworkWriter,
    name: str,
    terms: Sequence[Value],
    made: Numbers,
    is_positive: bool = False,
) -> Value:
    """Return the sum of one or two terms, cut off at the ends of a grid."""
    term, *others = terms
    if others:
        return writer.add(name, term, others[0], made, is_positive)
    if term.numbers != made:
        return _multiplied(writer, name, term, 1, made, is_positive)
    # Its upper end is cut off already. Only gates are made so, and their lower end is zero.
    return writer.maximum(name, term, np.zeros([1] * len(term.shape), np.int16))


def _multiplied(
    writer: NetworkWriter,
    name: str,
    read: Value,
    factor: int,
    made: Numbers,
    is_positive: bool = False,
) -> Value:
    """Return a tensor times a whole number, cut off at the ends of a grid."""
    integers = np.full([1] * len(read.shape), _HALF_OF_INT16, np.int16)
    constant = Numbers("int16", factor / _HALF_OF_INT16)
    by = writer.constant(f"{name}_factor", integers, constant)
    return writer.multiply(name, read, by, made, is_positive)
