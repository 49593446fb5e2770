"""What a command stream makes the NPU do, counted before anything runs."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

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
    [npu] = {program.npu for program in programs}
    return StreamCounts(
        operations=dict(Counter(map(_kind, settings))),
        macs=sum(map(_macs, kernels)),
        filled_macs=_all_filled_macs(kernels, npu),
        weights=sum(math.prod(kernel.order.shape) for kernel in kernels),
        decoded_weights=sum(map(_decoded_weights, kernels)),
        weight_bytes=sum(map(_weight_bytes, kernels)),
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


def _decoded_weights(kernel: Convolution) -> int:
    return _stream_values(kernel) * _blocks(kernel)


def _weight_bytes(kernel: Convolution) -> int:
    """Return the encoded bytes that all blocks read."""
    return sum(part.length for part in kernel.weights) * _blocks(kernel)


def _blocks(kernel: Convolution) -> int:
    """Return the blocks of positions; each of them reads and decodes all weights."""
    height, width, _ = kernel.output.shape
    rows, columns = kernel.block
    return math.ceil(height / rows) * math.ceil(width / columns)


def _all_filled_macs(kernels: Sequence[Convolution], npu: str) -> int | None:
    microblock = MICROBLOCKS.get(npu)
    if microblock is None:
        return None
    return sum(_filled_macs(kernel, microblock) for kernel in kernels)


def _filled_macs(kernel: Convolution, microblock: tuple[int, int]) -> int:
    """Return the products of what fills groups and microblocks, and of the network, together."""
    height, width, _ = kernel.output.shape
    rows = _filled(height, kernel.block[0], microblock[0])
    columns = _filled(width, kernel.block[1], microblock[1])
    return rows * columns * _stream_values(kernel)


def _filled(length: int, block: int, microblock: int) -> int:
    """Return a length when each of its blocks is filled up to whole microblocks."""
    whole, rest = divmod(length, block)
    return (whole * math.ceil(block / microblock) + math.ceil(rest / microblock)) * microblock
