"""The shape of a network, on which its resources depend: tensors and operators.

Their channels are linear in the kept units. ``kept`` is an array of shape (sets,): how many units
of each set of a :class:`tinyprune.sparsity.unit_sets.Coupling` stay; a real number while gates are
soft, a whole one at the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tinyprune.array_types import BoolArray, Float64Array, IntArray
from tinyprune.errors import UsageError
from tinyprune.sparsity.unit_sets import UnitSet
from tinyprune.tflite.operators import RECURRENT

#: Kinds of operators; those with kernels first. A "matmul" multiplies two feature maps. "other" has
#: no rule: its tensors count, its work does not.
WITH_KERNELS = ("conv", "depthwise", "transposed", "dense", *RECURRENT)
WITHOUT_KERNELS = ("add", "pool", "activation", "softmax", "concat", "pad", "slice")
KINDS = (*WITH_KERNELS, *WITHOUT_KERNELS, "matmul", "transpose", "other")


@dataclass(frozen=True, eq=False)
class Channels:
    """A number of channels, ``fixed + per_set @ kept``.

    Attributes:
        fixed: channels that always stay.
        per_set: (sets,), channels for each kept unit of a set: 1, or more where it is laid side by
            side.
    """

    fixed: int
    per_set: Float64Array

    def count(self, kept: Float64Array) -> float:
        """Return the number of channels with ``kept`` units of each set."""
        return float(self.fixed + self.per_set @ kept)


@dataclass(frozen=True, eq=False)
class TensorShape:
    """A feature map, batch 1.

    Attributes:
        name: of the layer that makes it.
        positions: (rows, columns); 1 where the tensor lacks an axis.
        channels: of each position.
        bytes_per_element: 1 for int8, 2 for the cell of an LSTM.
        is_state: whether it lives from one call to the next, and so in every step.
        head_channels: of each of the heads that its channels are laid in one after the other; 0:
            it has no heads.
    """

    name: str
    positions: tuple[int, int]
    channels: Channels
    bytes_per_element: int = 1
    is_state: bool = False
    head_channels: int = 0

    @property
    def area(self) -> int:
        """Number of positions."""
        return self.positions[0] * self.positions[1]


@dataclass(frozen=True, eq=False)
class OperatorShape:
    """One operator of the int8 network.

    Attributes:
        name: of its layer.
        kind: one of KINDS.
        inputs, outputs: numbers of tensors; a reshaped tensor is the same tensor.
        channels_in, channels_out: of what it reads, flattened where a dense layer sees it so, and
            of what it makes; of an LSTM features and units.
        positions_in, positions: (rows, columns) of what it reads and makes; a dense layer after a
            Flatten has (1, 1).
        kernel: (rows, columns) of the kernel or the pooling window.
        stride: (rows, columns).
        has_bias: whether a bias per output channel (of an LSTM: and gate) is stored.
        head_channels: channels (read, made) of each of the heads that its channels are laid in one
            after the other, and that it treats alone; None: it has no heads.
    """

    name: str
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    channels_in: Channels
    channels_out: Channels
    positions_in: tuple[int, int] = (1, 1)
    positions: tuple[int, int] = (1, 1)
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    has_bias: bool = False
    head_channels: tuple[int, int] | None = None

    @property
    def area(self) -> int:
        """Number of positions that it makes."""
        return self.positions[0] * self.positions[1]

    @property
    def is_recurrent(self) -> bool:
        """True where it reads its own outputs of the step before."""
        return self.kind in RECURRENT

    @property
    def gates(self) -> int:
        """Number of gates of a recurrent operator; 1 of others."""
        return RECURRENT.get(self.kind, 1)

    @property
    def taps(self) -> int:
        """Number of kernel elements of one input channel."""
        return self.kernel[0] * self.kernel[1]


@dataclass(frozen=True, eq=False)
class NetworkShape:
    """A network, batch 1, one call.

    Attributes:
        tensors: feature maps.
        operators: in order of execution.
        sets: the coupling's, which ``kept`` counts the units of.
        inputs, outputs: numbers of the tensors that the network is given and gives back.
    """

    tensors: tuple[TensorShape, ...]
    operators: tuple[OperatorShape, ...]
    sets: tuple[UnitSet, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...] = field(default=())

    @property
    def whole(self) -> Float64Array:
        """``kept`` of the network from which nothing is gone, (sets,)."""
        return np.array([item.size for item in self.sets], np.float64)

    def live(self) -> BoolArray:
        """Mark the tensors that are in memory while each operator runs, (operators, tensors).

        An operator's own inputs and outputs, what a later one still reads, outputs of the network
        once they are made, inputs of the network until they are read for the last time, and states
        always.
        """
        steps = len(self.operators)
        made = np.full(len(self.tensors), -1)
        read = np.full(len(self.tensors), -1)
        for step, operator in enumerate(self.operators):
            for number in operator.outputs:
                # A tensor that parts are written to lives from the first of them on.
                if made[number] < 0 and number not in self.inputs:
                    made[number] = step
            for number in (*operator.inputs, *operator.outputs):
                read[number] = step
        read[list(self.outputs)] = steps

        times = np.arange(steps)[:, None]
        live = (made <= times) & (times <= read)
        live[:, [tensor.is_state for tensor in self.tensors]] = True
        return live


def channels(ids: IntArray, sets: Sequence[UnitSet]) -> Channels:
    """Return the number of channels with these units, -1 for one that stays.

    Raises UsageError if units of one set are there a different number of times: then the count of
    kept units does not say how many channels there are.
    """
    counts = np.bincount(ids[ids >= 0], minlength=sum(item.size for item in sets))
    per_set = np.zeros(len(sets))
    for number, item in enumerate(sets):
        times = np.unique(counts[item.slice])
        if len(times) > 1:
            raise UsageError(
                f"units of '{item.name}' are {times.min()} to {times.max()} times in one tensor: "
                "the size of the network does not follow from their number; prune it by magnitude"
            )
        per_set[number] = times[0]
    return Channels(int((ids < 0).sum()), per_set)
