"""What Vela says of every operator of a compiled network, beside what the cost model knows of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinyprune.artifacts.resources import OperatorCost, ResourceReport
from tinyprune.npu.cost_features import Block, Features, Row
from tinyprune.npu.graph_shape import operator_shape
from tinyprune.sparsity.network_shape import WITH_KERNELS, NetworkShape, OperatorShape
from tinyprune.sparsity.resource_model import NUMPY
from tinyprune.tflite.graph import Graph, Operator

_KINDS = (*WITH_KERNELS, "softmax", "concat", "pool", "slice", "add", "matmul", "transpose")


@dataclass(frozen=True)
class Sample:
    """One row of one network. Attributes: kind; features; measured, for one of its repeats, as in OperatorCost."""

    kind: str
    features: Mapping[str, float]
    measured: Mapping[str, float]


_FIELDS = ("cycles", "cycles_npu", "cycles_sram", "slow", "encoded_weight_bytes", "scale_bytes")


def samples(graph: Graph, report: ResourceReport, micro_blocks: Sequence[Block]) -> list[Sample]:
    """The rows of all operators that the cost model has constants for."""
    known = [(number, _shape(op)) for number, op in enumerate(graph.operators)]
    known = [(number, op) for number, op in known if op.kind in _KINDS]
    shape = NetworkShape((), tuple(op for _, op in known), (), ())
    features = Features(shape, micro_blocks, NUMPY)
    table = features.at(np.zeros(0))
    return [
        Sample(
            row.kind,
            {name: float(values[place]) for name, values in table.items()}
            | {"tiles": features.tiles[place]},
            _measured(row, known, report),
        )
        for place, row in enumerate(features.rows)
    ]


def _measured(
    row: Row, known: Sequence[tuple[int, OperatorShape]], report: ResourceReport
) -> Mapping[str, float]:
    costs = [cost for cost in report.operators if cost.source == known[row.step][0]]
    if row.kind == "gate":
        macs = int(row.channels_in.fixed * row.channels_out.fixed)
        costs = [cost for cost in costs if cost.encoded_weight_bytes and cost.macs == macs]
        return {name: value / max(1, len(costs)) for name, value in _sums(costs).items()}
    if row.kind == "matmul":
        assert row.operator.head_channels is not None
        heads = row.channels_in.fixed / row.operator.head_channels[0]
        return {name: value / heads for name, value in _sums(costs).items()}
    return _sums(
        [cost for cost in costs if not cost.encoded_weight_bytes] if row.kind == "cell" else costs
    )


def _sums(costs: Iterable[OperatorCost]) -> dict[str, float]:
    return {name: sum(_value(cost, name) for cost in costs) for name in _FIELDS}


def _value(cost: OperatorCost, name: str) -> float:
    if name == "slow":
        return cost.cycles_dram + cost.cycles_off_chip_flash + cost.cycles_on_chip_flash
    return float(getattr(cost, name))


def _shape(op: Operator) -> OperatorShape:
    inputs = sum(tensor is not None and tensor.data is None for tensor in op.inputs)
    return operator_shape(op, tuple(range(inputs)), (0,))
