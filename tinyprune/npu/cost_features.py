"""What the cost of an operator on the NPU depends on: steps, elements and bytes, as functions of ``kept``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from tinyprune.array_types import Float64Array
from tinyprune.sparsity.network_shape import Channels, NetworkShape, OperatorShape
from tinyprune.sparsity.resource_model import Arrays, ChannelCounts
from tinyprune.tflite.operators import GATES

SCALE_BYTES, ALIGNMENT, BRICK = (
    10,
    16,
    16,
)  # per output channel; of encoded tensors; channels of a feature map's brick
_LEAST_BRICK = 8  # channels
_NEVER = 1e12
_FLAT = 1e3  # a step of 1 in the form of this many: with next to no gradient, and more than what rounding errors are
_TILE = 64  # positions of an output block: with more, weights are read again, so Vela may copy them to SRAM
_FIRST = 2048  # elements of the block whose output no computing hides
_FAST_TAPS = 5  # of a kernel that are stored together, where weights are not compressed
_LEAST_FAST = 32  # input channels of a kernel of one tap up to which they always are
_CONV = ("conv", "tiled", "transposed")
_FULL = ("dense", "gate")
_WITH_WEIGHTS = (*_CONV, *_FULL, "depthwise", "mean")
_WITH_STEPS = (*_WITH_WEIGHTS, "pool")
_BY_CHANNEL = ("depthwise", "mean", "pool")  # an output channel reads one input channel


Block = tuple[int, int, int]


class Row(NamedTuple):
    """A part of an operator with constants of its own: an LSTM has the matrices of its input, of its state, its cell.

    Attributes: step: number of the operator; repeats: how many such parts run one after the other;
        kernel: name of the weights, ``operator/kernel``.
    """

    step: int
    kind: str
    repeats: int
    channels_in: Channels
    channels_out: Channels
    operator: OperatorShape
    kernel: str


def rows(shape: NetworkShape) -> list[Row]:
    """The rows of a network as it is deployed (:func:`fused`), in order of execution."""
    found = []
    for step, op in enumerate(shape.operators):
        if op.kind == "lstm":
            found.append(
                Row(step, "gate", GATES, op.channels_in, op.channels_out, op, f"{op.name}/kernel")
            )
            found.append(
                Row(
                    step,
                    "gate",
                    GATES,
                    op.channels_out,
                    op.channels_out,
                    op,
                    f"{op.name}/recurrent_kernel",
                )
            )
            found.append(Row(step, "cell", 1, op.channels_out, op.channels_out, op, ""))
        else:
            found.append(
                Row(step, _kind(op), 1, op.channels_in, op.channels_out, op, f"{op.name}/kernel")
            )
    return found


def _kind(op: OperatorShape) -> str:
    """A pool over all positions is a mean, which Vela makes a depthwise convolution; "tiled" is a large convolution."""
    if op.kind == "conv" and op.area > _TILE:
        return "tiled"
    if op.kind == "pool" and op.kernel == op.positions_in and op.area == 1:
        return "mean"
    return {"activation": "add", "slice": "concat", "pad": "concat"}.get(op.kind, op.kind)


class Features:
    """The features of every row of a deployed network.

    Args:
        shape: from :func:`fused`.
        micro_blocks: (rows, columns, channels) that the NPU can compute at once; what takes least
            steps is taken.
        arrays: the array library.

    Attributes:
        rows: what the features are of; kinds, repeats: their fields.
        tiles: (rows,), how often weights are read: once for each block of positions.
        step_of_row: (operators, rows), 1 where a row is of an operator.
        next_step: (operators, operators), 1 where one runs right before the other.
    """

    def __init__(self, shape: NetworkShape, micro_blocks: Sequence[Block], arrays: Arrays) -> None:
        self.rows, self._arrays = rows(shape), arrays
        self.kinds = [row.kind for row in self.rows]
        self.repeats = np.array([row.repeats for row in self.rows], np.float64)
        sets, steps = len(shape.sets), len(shape.operators)
        self._reads = ChannelCounts([row.channels_in for row in self.rows], sets)
        self._makes = ChannelCounts([row.channels_out for row in self.rows], sets)
        self._depths = [block[2] for block in micro_blocks]
        self._fixed = {name: self._column(function) for name, function in _FIXED.items()}
        self._blocks = [
            np.array([_blocks(row, block) for row in self.rows], np.float64)
            for block in micro_blocks
        ]
        self.tiles = self._column(lambda row: -(-row.operator.area // _TILE))
        self.step_of_row = np.array(
            [[row.step == step for row in self.rows] for step in range(steps)], np.float64
        )
        self.next_step = np.eye(steps, k=1)

    def at(self, kept: Any) -> Mapping[str, Any]:
        """Feature -> (rows,).

        Steps of all micro-blocks; elements made (of a sum as they are stored), and those of the
        first block; bytes of feature maps read and made, and positions of those that have fewer
        channels than a burst of the memory; weights, and what they are padded by; their bytes if
        they are not compressed, and whether they can be; bytes of scales, and reads of 16 channels'
        scales; units of an LSTM;
        how often the NPU starts: a concatenation copies its inputs one by one.
        """
        a, f = self._arrays, self._fixed
        read, made = self._reads(kept, a), self._makes(kept, a)
        deep = f["deep"] + f["deep_per_channel"] * a.ceil(read / 32)
        part = f["part"] + f["part_per_channel"] * a.ceil(read / 8)
        steps = a.minimum(deep, part)
        needed = [
            a.ceil(made / depth) * blocks
            for depth, blocks in zip(self._depths, self._blocks, strict=True)
        ]
        depth = min(self._depths)
        weights = f["weights"] * made * (f["by_channel"] + (1 - f["by_channel"]) * read)
        padded = f["padded"] * 8 * steps * a.round_up(made, depth) / (f["by_channel"] * 7 + 1)
        fast = f["fast_deep"] * a.round_up(read, 64) + f["fast_part"] * a.round_up(read, 16)
        elements = f["area"] * (f["by_brick"] * stored(made, a) + (1 - f["by_brick"]) * made)
        return {
            "steps": steps * reduce(a.minimum, needed),
            "elements": elements,
            "first": a.minimum(elements, _FIRST + 0.0 * made),
            "read": f["area_in"] * stored(read, a),
            "made": f["area"] * stored(made, a),
            "bursts": f["area_in"] * (1 - _is_brick(read, a))
            + f["area"] * (1 - _is_brick(made, a)),
            "weights": weights,
            "padding": a.maximum(padded - weights, 0.0 * weights),
            "fast": a.round_up(made, 8) * fast,
            "can_be_fast": a.maximum(
                f["has_fast_deep"] * above(read - _LEAST_FAST, a), f["has_fast_part"] + 0.0 * read
            ),
            "scales": f["has_weights"] * a.round_up(SCALE_BYTES * made, ALIGNMENT),
            "scale_fetches": f["has_weights"] * a.ceil(made / 16),
            "units": f["is_cell"] * made,
            "runs": f["runs"] + 0.0 * made,
        }

    def _column(self, function: Callable[[Row], float]) -> Float64Array:
        return np.array([function(row) for row in self.rows], np.float64)


def stored(channels: Any, arrays: Arrays) -> Any:
    """Channels of a feature map in memory: in bricks of 16, but fewer than 8 as they are."""
    return channels + _is_brick(channels, arrays) * (arrays.round_up(channels, BRICK) - channels)


def _is_brick(channels: Any, arrays: Arrays) -> Any:
    """1 where there are that many channels, else 0."""
    return above(channels - (_LEAST_BRICK - 1), arrays)


def above(value: Any, arrays: Arrays) -> Any:
    """1 where a value is more than 0, else 0."""
    none = 0.0 * value
    return arrays.ceil(arrays.minimum(arrays.maximum(value, none), none + 1.0) / _FLAT)


def _taps(row: Row) -> int:
    return row.operator.taps


def _when(test: bool, value: float, otherwise: float = 0.0) -> float:
    return value if test else otherwise


def _alike(row: Row) -> float:
    """Steps of what reads one channel for each that it makes: four taps at a time, a pool one."""
    return _when(row.kind == "pool", 4 * max(4, _taps(row)), 4 * -(-_taps(row) // 4))


def _parts(row: Row) -> list[int]:
    """Taps of the kernels that Vela makes of one: of a transposed convolution, one for each phase of its stride."""
    if row.kind not in (*_CONV, *_FULL):
        return []
    if row.kind != "transposed":
        return [_taps(row)]
    op = row.operator
    strides = [
        max(1, made // read) for made, read in zip(op.positions, op.positions_in, strict=True)
    ]
    sides = [
        [-(-(size - at) // step) for at in range(step)]
        for size, step in zip(op.kernel, strides, strict=True)
    ]
    return [high * wide for high in sides[0] for wide in sides[1] if high * wide > 0]


#: What of a row does not depend on the channels. Cycles of an output micro-block are ``deep`` or
#: ``part``: 32 input channels and one tap in 4 cycles, or 8 input channels and four taps.
_FIXED: dict[str, Callable[[Row], float]] = {
    "deep": lambda row: _when(row.kind in _BY_CHANNEL, _alike(row)),
    "deep_per_channel": lambda row: _when(row.kind in (*_CONV, *_FULL), 4 * _taps(row)),
    "part": lambda row: _when(
        row.kind in _BY_CHANNEL, _alike(row), _when(row.kind in _FULL, _NEVER)
    ),
    "part_per_channel": lambda row: _when(row.kind in _CONV, 4 * -(-_taps(row) // 4)),
    "by_channel": lambda row: row.kind in _BY_CHANNEL,
    "weights": lambda row: _when(row.kind in _WITH_WEIGHTS, _taps(row)),
    "fast_deep": lambda row: sum(taps == 1 for taps in _parts(row)),
    "fast_part": lambda row: sum(
        _FAST_TAPS * -(-taps // _FAST_TAPS) for taps in _parts(row) if taps > 1
    ),
    "has_fast_deep": lambda row: any(taps == 1 for taps in _parts(row)),
    "has_fast_part": lambda row: any(taps > 1 for taps in _parts(row)),
    "padded": lambda row: row.kind in _WITH_WEIGHTS,
    "has_weights": lambda row: row.kind in _WITH_WEIGHTS,
    "area": lambda row: row.operator.area,
    "area_in": lambda row: (
        row.operator.positions_in[0] * row.operator.positions_in[1] * _sources(row)
    ),
    "is_cell": lambda row: row.kind == "cell",
    "by_brick": lambda row: row.kind == "add",
    "runs": lambda row: _when(row.kind == "concat", max(1, len(row.operator.inputs)), 1),
}


def _sources(row: Row) -> int:
    return max(1, len(row.operator.inputs)) if row.kind == "add" else 1


def _blocks(row: Row, micro_block: Block) -> float:
    """Micro-blocks of all positions, and at least as many as their weights take to be decoded."""
    if row.kind not in _WITH_STEPS:
        return 0.0
    high, wide, depth = micro_block
    tall, across = row.operator.positions
    if (
        tall == 1 and across % 2 == 0 and row.operator.kernel[0] == 1
    ):  # Vela turns the micro-block then
        high, wide = 1, high * wide
    count = -(-tall // high) * -(-across // wide)
    return count if row.kind == "pool" else max(count, depth)


def fused(shape: NetworkShape) -> NetworkShape:
    """The network as Vela runs it: padding and activations are part of their neighbours, sums overwrite an input.

    A padded tensor is the tensor itself, so is one after an activation or a part of one, and a
    tensor that only a concatenation reads is written where it will be. What a sum makes takes the
    place of an input that nobody needs.
    """
    readers = [
        [op for op in shape.operators if number in op.inputs]
        for number in range(len(shape.tensors))
    ]
    place = list(range(len(shape.tensors)))
    left_out = set()
    for step, op in enumerate(shape.operators):
        inner = op.kind == "slice" and not set(op.outputs) & set(shape.outputs)
        if (
            inner
            or op.kind == "pad"
            or (op.kind == "activation" and not set(op.inputs) & set(shape.inputs))
        ):
            left_out.add(step)
            place[op.outputs[0]] = place[op.inputs[0]]
        elif op.kind == "concat":
            for number in op.inputs:
                if (
                    number not in shape.inputs
                    and len(readers[number]) == 1
                    and number not in shape.outputs
                ):
                    place[number] = op.outputs[0]
        elif op.kind == "add":
            free = [
                n
                for n in op.inputs
                if _last(shape, n) == step and n not in (*shape.inputs, *shape.outputs)
            ]
            if free and op.outputs[0] not in shape.outputs:
                place[op.outputs[0]] = place[free[0]]
    final = [_final(place, number) for number in range(len(place))]
    operators = [
        replace(
            op,
            inputs=tuple(final[n] for n in op.inputs),
            outputs=tuple(final[n] for n in op.outputs),
        )
        for step, op in enumerate(shape.operators)
        if step not in left_out
    ]
    ends = (tuple(dict.fromkeys(final[n] for n in side)) for side in (shape.inputs, shape.outputs))
    return NetworkShape(shape.tensors, tuple(operators), shape.sets, *ends)


def _last(shape: NetworkShape, number: int) -> int:
    return max(step for step, op in enumerate(shape.operators) if number in op.inputs)


def _final(place: list[int], number: int) -> int:
    while place[number] != number:
        number = place[number]
    return number


def table_kinds(shape: NetworkShape) -> list[str]:
    """Kinds of the operators that may bring a lookup table, once for each table."""
    return [op.kind for op in shape.operators if op.kind in ("activation", "softmax", "lstm")]
