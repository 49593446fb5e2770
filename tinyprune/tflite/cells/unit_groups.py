"""The order of the outputs of a cell in the file: groups of units, each with all its gates.

Keras has gate after gate, each with all its units. Blocks of zeros are shared by the gates of some
units, so in Keras' order the outputs that read the same inputs lie far apart, and each gate of
each group would be an operator of its own. A network without such blocks has one group.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinyprune.array_types import Float32Array, Int8Array, IntArray
from tinyprune.tflite.lowering.parts import STEP, Costs, Work, expected_cycles, has_blocks

_GATES, _GROUPS = "_gates_", "_in_groups_of_"
#: The end of the name of a kernel in the file, a pattern.
SUFFIX = rf"{_GATES}(?P<gates>[\d_]+){_GROUPS}(?P<size>\d+)"
_MOST_GATES = 4
#: What blocks would cost as operators of their own; of an Ethos-U55-128 with its weights in SRAM.
_COSTS = Costs(operator=75.0, weight=1 / 8, product=1 / 128, copied=0.5)
#: Of 8 to 64 the best of all targets taken together first.
_CHANNELS = (32, 16, 8)
#: Another order than Keras' has to be this much cheaper.
_MOST_OF_ONE_GROUP = 0.97


@dataclass(frozen=True)
class UnitGroups:
    """An order of the outputs of a cell.

    Attributes:
        units: of the layer.
        size: units of a group; all of them where there is one group.
        gates: the gates of a group, each by its number in Keras' order.
    """

    units: int
    size: int
    gates: tuple[int, ...]

    @property
    def count(self) -> int:
        """Number of groups."""
        return self.units // self.size

    @property
    def suffix(self) -> str:
        """End of the name of a kernel in the file, which says its order."""
        return f"{_GATES}{'_'.join(map(str, self.gates))}{_GROUPS}{self.size}"

    @property
    def channels(self) -> int:
        """Units side by side in :meth:`shape`: as many as leave rows in pairs."""
        for channels in _CHANNELS:
            if self.size % (2 * channels) == 0:
                return channels
        return math.gcd(self.size, max(_CHANNELS))

    def shape(self, gates: int) -> tuple[int, int, int, int]:
        """Return the shape of so many gates of a frame: (1, groups, gates * rows, channels).

        An Ethos-U computes sigmoid and tanh of pairs of rows in 0.6 of the time of one long row.
        """
        return (1, self.count, gates * self.rows, self.channels)

    @property
    def rows(self) -> int:
        """Rows of a gate in :meth:`shape`."""
        return self.size // self.channels

    def order(self, gates: int) -> IntArray:
        """Return which of Keras' outputs each output in the file is.

        ``gates``: of a kernel that has the first gates only, or all of them.
        """
        outputs = np.arange(gates * self.units).reshape(gates, self.count, self.size)
        in_file = outputs[list(self.gates[:gates])]
        return in_file.transpose(1, 0, 2).reshape(-1)

    def in_file(self, values: Float32Array) -> Float32Array:
        """Return what Keras has along its last axis (gates * units) in the order of the file."""
        return values[..., self.order(values.shape[-1] // self.units)]

    def in_keras(self, values: Int8Array) -> Int8Array:
        """Return what the file has along its last axis (gates * units) in Keras' order."""
        order = self.order(values.shape[-1] // self.units)
        return values[..., np.argsort(order)]


def named_groups(name: str, units: int) -> UnitGroups:
    """Return the order that the name of a kernel in a file says; without one it is Keras'."""
    found = re.search(f"{SUFFIX}$", name)
    if found is None:
        return UnitGroups(units, units, tuple(range(_MOST_GATES)))
    gates = tuple(map(int, found["gates"].split("_")))
    return UnitGroups(units, int(found["size"]), gates)


def cheapest_groups(
    units: int, gates: tuple[int, ...], kernels: Sequence[Float32Array]
) -> UnitGroups:
    """Return the groups by which blocks of zeros cost least as operators of their own.

    Args:
        units: of the layer.
        gates: of a group, in order.
        kernels: each (inputs, gates * units), in Keras' order.
    """
    whole = UnitGroups(units, units, gates)
    if not any(has_blocks(kernel) for kernel in kernels):
        return whole
    limit = _MOST_OF_ONE_GROUP * _cycles(whole, kernels)
    best = whole
    for groups in _divisions(whole):
        cycles = _cycles(groups, kernels)
        if cycles < limit:
            best, limit = groups, cycles
    return best


def _divisions(whole: UnitGroups) -> Iterator[UnitGroups]:
    """Yield equal groups, the largest first, of sizes in which an Ethos-U computes."""
    for size in range(whole.units // 2, 0, -1):
        if whole.units % size == 0 and size % STEP == 0:
            yield replace(whole, size=size)


def _cycles(groups: UnitGroups, kernels: Sequence[Float32Array]) -> float:
    cycles = 0.0
    for kernel in kernels:
        cycles += expected_cycles(groups.in_file(kernel), _COSTS, Work())
    return cycles
