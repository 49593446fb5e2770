"""What a command stream makes the NPU do, counted before anything runs."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from operator import mul

from tinyprune.artifacts.cycles import Cycles
from tinyprune.artifacts.resources import OperatorCost
from tinyprune.artifacts.stream_counts import LayerWork, StreamCounts
from tinyprune.npu.stream.convolution import Convolution
from tinyprune.npu.stream.ethos_u55 import OperationSettings
from tinyprune.npu.stream.product import Product
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
    return _counts(programs[0], settings, cycles)


def count_layers(
    programs: Sequence[Program],
    operators: Sequence[OperatorCost],
    layers: Sequence[str],
    places: Mapping[tuple[int, int], int],
) -> tuple[LayerWork, ...]:
    """Return what streams make the NPU do for each layer, in the order of the network.

    Args:
        programs: the streams of a compiled network, at least one.
        operators: their costs, by Vela. layers: of each.
        places: number of the operator of every operation (:func:`tables.stream_places`).

    Empty where an operation has no operator. A transfer belongs to the operation that reads what it
    brings, or else to the next one.
    """
    settings: dict[str, list[OperationSettings]] = {}
    for number, program in enumerate(programs):
        owners = [places.get((number, place)) for place in program.places]
        for operation, owner in zip(
            program.settings, _with_transfers(program, owners), strict=True
        ):
            if owner is None:
                return ()
            settings.setdefault(layers[owner], []).append(operation)
    costs: dict[str, list[OperatorCost]] = {name: [] for name in settings}
    for name, cost in zip(layers, operators, strict=True):
        costs.setdefault(name, []).append(cost)
    works = []
    for name in sorted(settings, key=lambda name: _first_source(costs[name])):
        works.append(_work(programs[0], name, settings[name], costs[name]))
    return tuple(works)


def _with_transfers(program: Program, owners: Sequence[int | None]) -> Iterator[int | None]:
    """Yield the operators of operations, transfers included."""
    for number, operation in enumerate(program.settings):
        reader = number
        if isinstance(operation, Transfer):
            reader = _reader(program.settings, operation, number)
        yield owners[reader]


def _reader(settings: Sequence[OperationSettings], transfer: Transfer, number: int) -> int:
    """Return the number of the operation that reads what a transfer brings, or of the next one."""
    following = []
    for place in range(number, len(settings)):
        operation = settings[place]
        if isinstance(operation, Convolution) and _reads(operation, transfer):
            return place
        if not isinstance(operation, Transfer):
            following.append(place)
    return next(iter(following), number)


def _reads(kernel: Convolution, transfer: Transfer) -> bool:
    """Return whether the weights of a kernel lie in what a transfer brings."""
    weights = kernel.weights[0]
    is_of_memory = weights.region == transfer.target_region and not transfer.is_to_tables
    return is_of_memory and 0 <= weights.start - transfer.target < transfer.length


def _first_source(costs: Sequence[OperatorCost]) -> int:
    """Return the first operator of the network that some come from."""
    return min(cost.source or 0 for cost in costs)


def _work(
    program: Program,
    name: str,
    settings: Sequence[OperationSettings],
    costs: Sequence[OperatorCost],
) -> LayerWork:
    """Return the work of a layer."""
    kernels = Cycles.total(cost for cost in costs if cost.encoded_weight_bytes)
    return LayerWork(
        name=name,
        counts=_counts(program, settings, sum(cost.cycles for cost in costs)),
        kernel_cycles=kernels.cycles,
        kernels_bound_by=kernels.slowest_part if kernels.cycles else "",
    )


def _counts(program: Program, settings: Sequence[OperationSettings], cycles: float) -> StreamCounts:
    """Return what operations make the NPU of a stream do."""
    kernels = [operation for operation in settings if isinstance(operation, Convolution)]
    products = [operation for operation in settings if isinstance(operation, Product)]
    transfers = [operation for operation in settings if isinstance(operation, Transfer)]
    values = list(map(_stream_values, kernels))
    blocks = list(map(_blocks, kernels))
    return StreamCounts(
        operations=dict(Counter(map(_kind, settings))),
        macs=sum(map(_macs, kernels)) + sum(product.macs for product in products),
        filled_macs=_all_filled_macs(kernels, values, program.npu),
        weights=sum(math.prod(kernel.order.shape) for kernel in kernels),
        decoded_weights=sum(map(mul, values, blocks)),
        weight_bytes=sum(map(mul, map(_weight_bytes, kernels), blocks)),
        transfers=len(transfers),
        transfer_bytes=sum(transfer.length for transfer in transfers),
        macs_per_cycle=program.macs,
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
