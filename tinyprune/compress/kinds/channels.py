"""Channels in a walk through a graph: their numbers, and rules from inputs to outputs.

A channel has a number: 0 if it stays, else the number that the layer which made it was given. A
rule takes one call of a layer or operation and returns the channels of its outputs, or None where
it does not understand the call.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tinyprune.array_types import IntArray
from tinyprune.compress.activations import is_by_element
from tinyprune.sparsity.unit_sets import UnitSet

STAYS = 0


class UnitNumbers:
    """The numbers of the channels of one walk, and the pairs of them that are one unit.

    Attributes:
        same: pairs of equally long arrays of numbers that are one unit each.
        makers: layer that made numbers -> how many; the numbers run from 1 in this order.
        widths: number -> channels that its unit always has side by side, where it is not one.
    """

    def __init__(self) -> None:
        self.same: list[tuple[IntArray, IntArray]] = []
        self.makers: dict[str, int] = {}
        self.widths: dict[int, int] = {}

    @property
    def count(self) -> int:
        """Number of numbers, that of channels that stay included."""
        return 1 + sum(self.makers.values())

    def new(self, maker: str, size: int) -> IntArray:
        """Return the numbers of the channels that a layer makes, (size,)."""
        made = self.count + np.arange(size)
        self.makers[maker] = size
        return made

    def join(self, first: IntArray, second: IntArray) -> None:
        """Record that the channels of two arrays are the same units, one by one."""
        self.same.append((first, second))

    def fix(self, ids: IntArray) -> None:
        """Record that these channels stay."""
        self.join(ids, np.full_like(ids, STAYS))

    def merged(self, inputs: list[IntArray]) -> IntArray:
        """Return the channels of a sum; a single channel that is spread over many stays."""
        longest = max(inputs, key=len)
        for ids in inputs:
            if len(ids) == len(longest):
                self.join(longest, ids)
            else:
                self.fix(ids)
        return longest

    def reshaped(self, ids: IntArray, width: int | None) -> IntArray | None:
        """Return the channels where the last axis has another length.

        It is merged with axes before it, or divided: then every part has the same units.
        """
        if not width:
            return None
        if width % len(ids) == 0:
            return np.tile(ids, width // len(ids))
        if len(ids) % width == 0:
            return self.merged(list(ids.reshape(-1, width)))
        return None

    def units(self) -> tuple[tuple[UnitSet, ...], IntArray]:
        """Return the sets of units, and for each number its unit, or -1 if it stays.

        Numbers that are the same, directly or through others, are one unit; units that the same
        layers make are one set.
        """
        makers = np.repeat(list(self.makers), list(self.makers.values()))
        units_by_makers: dict[frozenset[str], list[list[int]]] = {}
        for unit in self._removable():
            unit_makers = frozenset(makers[number - 1] for number in unit)
            units_by_makers.setdefault(unit_makers, []).append(unit)

        sets: list[UnitSet] = []
        unit_of = np.full(self.count, -1)
        start = 0
        for units in units_by_makers.values():
            for offset, unit in enumerate(units):
                unit_of[unit] = start + offset
            first_maker = str(makers[units[0][0] - 1])
            width = max(self.widths.get(number, 1) for number in units[0])
            sets.append(UnitSet(first_maker, start, len(units), width))
            start += len(units)
        return tuple(sets), unit_of

    def _removable(self) -> list[list[int]]:
        """The numbers of each unit that does not stay."""
        first = np.concatenate([pair[0] for pair in self.same])
        second = np.concatenate([pair[1] for pair in self.same])
        links = coo_array((np.ones(len(first), bool), (first, second)), shape=(self.count,) * 2)
        _, component = connected_components(links, directed=False)
        numbers: dict[int, list[int]] = {}
        for number in np.flatnonzero(component != component[STAYS]).tolist():
            numbers.setdefault(component[number], []).append(number)
        return list(numbers.values())


@dataclass(frozen=True)
class LayerCall:
    """One call of a layer or operation in a walk.

    Attributes:
        operation: the layer or operation.
        inputs: channels of each input tensor.
        constants: arguments that are no tensors of the graph.
        input_rank, output_rank: number of axes of the first input and the first output.
        width: length of the last axis of the first output.
        numbers: of the walk.
    """

    operation: Any
    inputs: list[IntArray]
    constants: list[Any]
    input_rank: int
    output_rank: int
    width: int | None
    numbers: UnitNumbers


#: The channels of the outputs of a call; None where they are not understood.
ChannelRule = Callable[[LayerCall], IntArray | None]


def unknown(call: LayerCall) -> IntArray | None:
    """Nothing is known of the outputs."""
    del call
    return None


def alone(call: LayerCall) -> IntArray | None:
    """Every channel is treated alone, and their order stays."""
    return call.inputs[0] if len(call.inputs) == 1 else None


def merged(call: LayerCall) -> IntArray | None:
    """All inputs have the same units, channel by channel."""
    return call.numbers.merged(call.inputs)


def by_element(call: LayerCall) -> IntArray | None:
    """All inputs have the same units; an array that differs by channel is not understood."""
    if any(_width(value) != 1 for value in call.constants):
        return None
    return merged(call)


def concatenated(call: LayerCall) -> IntArray | None:
    """Inputs lie side by side; along another axis they have the same units."""
    if call.operation.axis in (-1, call.output_rank - 1):
        return np.concatenate(call.inputs)
    return merged(call)


def reshaped(call: LayerCall) -> IntArray | None:
    """The last axis is merged with others, or divided."""
    ids = alone(call)
    return None if ids is None else call.numbers.reshaped(ids, call.width)


def reduced(call: LayerCall) -> IntArray | None:
    """A sum or mean over positions."""
    return _alone_if(call, _spares_last(call.operation.axis, call.input_rank))


def normalised(call: LayerCall) -> IntArray | None:
    """A normalisation of each channel."""
    return _alone_if(call, call.operation.axis in (-1, call.output_rank - 1))


def softmax(call: LayerCall) -> IntArray | None:
    """A softmax over positions."""
    return _alone_if(call, _spares_last(call.operation.axis, call.output_rank))


def activation(call: LayerCall) -> IntArray | None:
    """An activation function."""
    return _alone_if(call, is_by_element(call.operation.activation))


def permuted(call: LayerCall) -> IntArray | None:
    """Axes are moved; the last one stays the last."""
    return _alone_if(call, call.operation.dims[-1] == call.output_rank - 1)


def rescaled(call: LayerCall) -> IntArray | None:
    """A scale and an offset, one number each."""
    is_scalar = np.ndim(call.operation.scale) == np.ndim(call.operation.offset) == 0
    return _alone_if(call, is_scalar)


def _alone_if(call: LayerCall, is_understood: bool) -> IntArray | None:
    """Every channel is treated alone, under a condition."""
    return alone(call) if is_understood else None


def _spares_last(axes: Any, rank: int) -> bool:
    """Return whether an operation over these axes leaves the last one alone; None is all axes."""
    return axes is not None and rank - 1 not in np.atleast_1d(axes) % rank


def _width(value: Any) -> int:
    """Length of the last axis of an array; 1 for everything else."""
    shape = tuple(getattr(value, "shape", ()))
    return shape[-1] if shape else 1
