"""Features that the cost of an operator on the NPU depends on, as functions of ``kept``.

They are steps, elements and bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from typing import Any, NamedTuple

import numpy as np

from tinyprune.array_types import Float64Array
from tinyprune.sparsity.network_shape import Channels, NetworkShape, OperatorShape
from tinyprune.sparsity.resource_model import Arrays, ChannelCounts

SCALE_BYTES = 10  # per output channel
ALIGNMENT = 16  # of encoded tensors, in bytes
BRICK = 16  # channels of a feature map's brick
_LEAST_BRICK = 8  # channels
_NEVER = 1e12
#: A step of 1 has the form of this many: with next to no gradient, and more than rounding errors.
_FLAT = 1e3
#: Positions of an output block: with more, weights are read again, so Vela may copy them to SRAM.
_TILE = 64
_FIRST = 2048  # elements of the block whose output no computing hides
_FAST_TAPS = 5  # of a kernel that are stored together, where weights are not compressed
_LEAST_FAST = 32  # input channels of a kernel of one tap up to which they always are
_CONV = ("conv", "tiled", "transposed")
_FULL = ("dense", "gate")
_SOFTMAX = ("softmax", "softmax_rows")
_WITH_KERNELS = _CONV + _FULL  # of which an output channel reads all input channels
_WITH_PRODUCTS = (*_WITH_KERNELS, "matmul")
_WITH_WEIGHTS = (*_WITH_KERNELS, "depthwise", "mean")
_WITH_STEPS = (*_WITH_WEIGHTS, "pool", "matmul")
_BY_CHANNEL = ("depthwise", "mean", "pool")  # an output channel reads one input channel
_KIND_OF_ROW = {"activation": "add", "slice": "concat", "pad": "concat"}

Block = tuple[int, int, int]


class Row(NamedTuple):
    """A part of an operator with constants of its own.

    A recurrent one has three: the matrices of its input, those of its state, and its cell.

    Attributes:
        step: number of the operator.
        kind: kind of the part (cost_constants.KINDS).
        repeats: how many such parts run one after the other; a product of feature maps runs once
            for each head besides.
        channels_in, channels_out: of the part.
        operator: the operator that it is a part of.
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
    """Return the rows of a network as it is deployed (npu/fusion.py), in order of execution."""
    parts: list[Row] = []
    for step, op in enumerate(shape.operators):
        read = op.channels_in
        made = op.channels_out
        kernel = f"{op.name}/kernel"
        if op.is_recurrent:
            recurrent_kernel = f"{op.name}/recurrent_kernel"
            parts.append(Row(step, "gate", op.gates, read, made, op, kernel))
            parts.append(Row(step, "gate", op.gates, made, made, op, recurrent_kernel))
            parts.append(Row(step, "cell", 1, made, made, op, ""))
        else:
            parts.append(Row(step, _kind(op), 1, read, made, op, kernel))
    return parts


def _kind(op: OperatorShape) -> str:
    """Return the kind of row that an operator is.

    A pool over all positions is a mean, which Vela makes a depthwise convolution; a dense layer at
    several positions is a convolution of one tap; "tiled" is a large convolution. A softmax at
    several positions has constants of its own, because Vela reduces its rows in another way.
    """
    if op.kind == "conv" or (op.kind == "dense" and op.area > 1):
        return "tiled" if op.area > _TILE else "conv"
    if op.kind == "pool" and op.kernel == op.positions_in and op.area == 1:
        return "mean"
    if op.kind == "softmax" and op.area > 1:
        return "softmax_rows"
    return _KIND_OF_ROW.get(op.kind, op.kind)


class Features:
    """The features of every row of a deployed network.

    Args:
        shape: from :func:`tinyprune.npu.fusion.fused`.
        micro_blocks: (rows, columns, channels) that the NPU can compute at once; the one that needs
            the fewest steps counts.
        arrays: the array library.

    Attributes:
        rows: what the features are of; kinds: their fields.
        tiles: (rows,), how often weights are read: once for each block of positions.
        step_of_row: (operators, rows), 1 where a row is of an operator.
        next_step: (operators, operators), 1 where one runs right before the other.
    """

    def __init__(self, shape: NetworkShape, micro_blocks: Sequence[Block], arrays: Arrays) -> None:
        self.rows = rows(shape)
        self._arrays = arrays
        self.kinds = [row.kind for row in self.rows]
        sets = len(shape.sets)
        steps = len(shape.operators)
        self._reads = ChannelCounts([row.channels_in for row in self.rows], sets)
        self._makes = ChannelCounts([row.channels_out for row in self.rows], sets)
        self._depths = [block[2] for block in micro_blocks]
        self._fixed = {name: self._column(function) for name, function in _FIXED.items()}
        self._blocks = [self._column(partial(_blocks, micro_block=block)) for block in micro_blocks]
        self.tiles = self._column(lambda row: -(-row.operator.area // _TILE))
        self.step_of_row = np.zeros((steps, len(self.rows)))
        for number, row in enumerate(self.rows):
            self.step_of_row[row.step, number] = 1
        self.next_step = np.eye(steps, k=1)

    def at(self, kept: Any) -> Mapping[str, Any]:
        """Return feature -> (rows,).

        - repeats: how many such parts run one after the other.
        - steps: of all micro-blocks.
        - products: of one head of a product of feature maps.
        - product_rows, softmax_rows: positions of all heads, of such operators; channels_in: those
          that a position of a head reads.
        - elements: made, of a sum and a softmax as stored; first: those of the first block.
        - start: 1, of a softmax of several rows the share of a first block that they fill.
        - read, made: bytes of feature maps.
        - bursts: positions of feature maps that have fewer channels than a burst of the memory; a
          softmax has such maps inside.
        - weights, and padding: the zeros that they are padded by.
        - fast: bytes of weights if they are not compressed; can_be_fast: 1 where they may be so.
        - scales: bytes of scales; scale_fetches: reads of the scales of 16 channels.
        - units: of an LSTM.
        - runs: how often the NPU starts; a concatenation copies its inputs one by one.
        """
        a = self._arrays
        f = self._fixed
        without = 1 - f["has_heads"]
        all_read = self._reads(kept, a)
        heads = without + f["has_heads"] * all_read / np.maximum(f["head_reads"], 1)
        read = f["head_reads"] + without * all_read
        made = f["head_makes"] + without * self._makes(kept, a)
        # Heads of a product run one after the other, those of a softmax beside each other.
        is_product = f["is_product"]
        beside = is_product + (1 - is_product) * heads
        area = f["area"] * beside
        area_in = f["area_in"] * beside
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
        elements = area * (f["by_brick"] * stored(made, a) + (1 - f["by_brick"]) * made)
        first = a.minimum(elements, _FIRST + 0.0 * made)
        return {
            "repeats": f["repeats"] * (1 - is_product + is_product * heads),
            "products": is_product * area * read * made,
            "product_rows": is_product * f["area"] * heads,
            "softmax_rows": f["is_softmax"] * area,
            "channels_in": read,
            "steps": steps * reduce(a.minimum, needed),
            "elements": elements,
            "first": first,
            "start": 1 - f["has_rows"] + f["has_rows"] * first / _FIRST,
            "read": area_in * stored(read, a),
            "made": area * stored(made, a),
            "bursts": area_in * (1 - _is_brick(read, a))
            + area * (1 - _is_brick(made, a) + f["narrow_inside"]),
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
    """Return the channels of a feature map in memory: bricks of 16, fewer than 8 as they are."""
    return channels + _is_brick(channels, arrays) * (arrays.round_up(channels, BRICK) - channels)


def _is_brick(channels: Any, arrays: Arrays) -> Any:
    """Return 1 where there are enough channels for a brick, else 0."""
    return above(channels - (_LEAST_BRICK - 1), arrays)


def above(value: Any, arrays: Arrays) -> Any:
    """Return 1 where a value is more than 0, else 0."""
    none = 0.0 * value
    return arrays.ceil(arrays.minimum(arrays.maximum(value, none), none + 1.0) / _FLAT)


def _taps(row: Row) -> int:
    return row.operator.taps


def _when(test: bool, value: float, otherwise: float = 0.0) -> float:
    if test:
        return value
    return otherwise


def _alike(row: Row) -> float:
    """Return the steps of what reads one channel for each that it makes.

    Four taps are done at a time, of a pool one.
    """
    if row.kind == "pool":
        return 4 * max(4, _taps(row))
    return 4 * -(-_taps(row) // 4)


def _parts(row: Row) -> list[int]:
    """Return the taps of the kernels that Vela makes of one.

    Of a transposed convolution it makes one for each phase of its stride.
    """
    if row.kind not in _WITH_KERNELS:
        return []
    if row.kind != "transposed":
        return [_taps(row)]
    op = row.operator
    heights = _phases(op.kernel[0], op.positions[0], op.positions_in[0])
    widths = _phases(op.kernel[1], op.positions[1], op.positions_in[1])
    return [height * width for height in heights for width in widths if height * width > 0]


def _phases(size: int, made: int, read: int) -> list[int]:
    """Return the lengths of the parts of one side of a kernel, one for each phase of its stride."""
    stride = max(1, made // read)
    return [-(-(size - phase) // stride) for phase in range(stride)]


#: Numbers of a row that do not depend on the channels. Cycles of an output micro-block are ``deep``
#: or ``part``: 32 input channels and one tap in 4 cycles, or 8 input channels and four taps.
_FIXED: dict[str, Callable[[Row], float]] = {
    "repeats": lambda row: row.repeats,
    "has_heads": lambda row: row.operator.head_channels is not None,
    "head_reads": lambda row: _head_channels(row)[0],
    "head_makes": lambda row: _head_channels(row)[1],
    "is_product": lambda row: row.kind == "matmul",
    "deep": lambda row: _when(row.kind in _BY_CHANNEL, _alike(row)),
    "deep_per_channel": lambda row: _when(row.kind in _WITH_PRODUCTS, 4 * _taps(row)),
    "part": lambda row: _when(
        row.kind in _BY_CHANNEL, _alike(row), _when(row.kind in (*_FULL, "matmul"), _NEVER)
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
    "is_softmax": lambda row: row.kind in _SOFTMAX,
    "has_rows": lambda row: row.kind == "softmax_rows",
    "by_brick": lambda row: row.kind in ("add", *_SOFTMAX),
    "narrow_inside": lambda row: row.kind in _SOFTMAX,
    "runs": lambda row: _when(row.kind == "concat", max(1, len(row.operator.inputs)), 1),
}


def _head_channels(row: Row) -> tuple[int, int]:
    """Return the channels (read, made) of a head; 0 where there are none."""
    return row.operator.head_channels or (0, 0)


def _sources(row: Row) -> int:
    if row.kind == "add":
        return max(1, len(row.operator.inputs))
    return 1


def _blocks(row: Row, micro_block: Block) -> float:
    """Return micro-blocks of all positions; at least as many as decoding their weights takes."""
    if row.kind not in _WITH_STEPS:
        return 0.0
    high, wide, depth = micro_block
    tall, across = row.operator.positions
    is_turned = tall == 1 and across % 2 == 0 and row.operator.kernel[0] == 1
    if is_turned:  # Vela turns the micro-block then
        high, wide = 1, high * wide
    count = -(-tall // high) * -(-across // wide)
    if row.kind in ("pool", "matmul"):
        return count
    return max(count, depth)


def table_kinds(shape: NetworkShape) -> list[str]:
    """Return the kinds of the operators that may bring a lookup table, once for each table."""
    kinds = ["lstm" if op.is_recurrent else op.kind for op in shape.operators]
    return [kind for kind in kinds if kind in ("activation", "softmax", "lstm")]
