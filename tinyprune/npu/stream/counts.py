"""What a command stream makes the NPU do, counted before anything runs."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from operator import mul

from tinyprune.artifacts.stream_counts import StreamCounts
from tinyprune.npu.stream.convolution import Convolution
from tinyprune.npu.stream.ethos_u55 import OperationSettings
from tinyprune.npu.stream.program import Program
from tinyprune.npu.stream.transfer import Transfer

#: Rows and columns of the positions that a core computes at once, from Vela's description of the
#: accelerators. That of Ethos-U85 differs from operation to operation.
MICROBLOCKS: Mapping[str, tuple[int, int]] = {
    "ethos-u55-32": (1, 1),
    "ethos-u55-64": (1, 1),
    "ethos-u55-128": (1, 2),
    "ethos-u55-256": (2, 2),
    "ethos-u65-256": (2, 2),
    "ethos-u65-512": (2, 2),
}


def count(programs: Sequence[Program], cycles: float) -> StreamCounts:
    """Return what streams make the NPU do in one inference.

    Args:
        programs: the streams of a compiled network, at least one.
        cycles: of one inference, by Vela's estimate.
    """
    settings: list[OperationSettings] = []
    for program in programs:
        settings += program.settings
    kernels = [operation for operation in settings if isinstance(operation, Convolution)]
    transfers = [operation for operation in settings if isinstance(operation, Transfer)]
    values = list(map(_stream_values, kernels))
    blocks = list(map(_blocks, kernels))
    [npu] = {program.npu for program in programs}
    return StreamCounts(
        operations=dict(Counter(map(_kind, settings))),
        macs=sum(map(_macs, kernels)),
        filled_macs=_all_filled_macs(kernels, values, npu),
        weights=sum(math.prod(kernel.order.shape) for kernel in kernels),
        decoded_weights=sum(map(mul, values, blocks)),
        weight_bytes=sum(map(mul, map(_weight_bytes, kernels), blocks)),
        transfers=len(transfers),
        transfer_bytes=sum(transfer.length for transfer in transfers),
        macs_per_cycle=programs[0].macs,
        cycles=cycles,
    )


def _kind(operation: OperationSettings) -> str:
    if isinstance(operation, Convolution) and operation.order.is_depthwise:
        return "depthwise convolution"
    return type(operation).__name__.lower()


def _macs(kernel: Convolution) -> int:
    """Return the products of a kernel at all positions."""
    height, width, _ = kernel.output.shape
    return height * width * math.prod(kernel.order.shape)


def _stream_values(kernel: Convolution) -> int:
    """Return the values of the encoded weights, with what fills their groups."""
    order = kernel.order
    return sum(len(order.positions(core)) for core in range(order.cores))


def _weight_bytes(kernel: Convolution) -> int:
    return sum(part.length for part in kernel.weights)


def _blocks(kernel: Convolution) -> int:
    """Return the blocks of positions; each of them reads and decodes all weights."""
    height, width, _ = kernel.output.shape
    rows, columns = kernel.block
    return math.ceil(height / rows) * math.ceil(width / columns)


def _all_filled_macs(kernels: Sequence[Convolution], values: Sequence[int], npu: str) -> int | None:
    """Return products with what fills groups, of kernels and the values of their streams."""
    microblock = MICROBLOCKS.get(npu)
    if microblock is None:
        return None
    positions = [_filled_positions(kernel, microblock) for kernel in kernels]
    return sum(map(mul, positions, values))


def _filled_positions(kernel: Convolution, microblock: tuple[int, int]) -> int:
    """Return the positions of a kernel with those that fill microblocks."""
    height, width, _ = kernel.output.shape
    rows = _filled(height, kernel.block[0], microblock[0])
    columns = _filled(width, kernel.block[1], microblock[1])
    return rows * columns


def _filled(length: int, block: int, microblock: int) -> int:
    """Return a length when each of its blocks is filled up to whole microblocks."""
    whole, rest = divmod(length, block)
    return (whole * math.ceil(block / microblock) + math.ceil(rest / microblock)) * microblock
