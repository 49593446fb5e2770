"""What Vela says of every operator of a compiled network, beside what the cost model knows of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyprune.flatbuffer import Graph, Operator, Tensor
from tinyprune.npu.cost_features import Block, Features, Row
from tinyprune.resources import OperatorCost, ResourceReport
from tinyprune.sparsity.network_shape import Channels, NetworkShape, OperatorShape
from tinyprune.sparsity.resource_model import NUMPY

_KINDS = {
    "CONV_2D": "conv",
    "DEPTHWISE_CONV_2D": "depthwise",
    "TRANSPOSE_CONV": "transposed",
    "FULLY_CONNECTED": "dense",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "lstm",
    "SOFTMAX": "softmax",
    "CONCATENATION": "concat",
    "AVERAGE_POOL_2D": "pool",
    "MAX_POOL_2D": "pool",
    "MEAN": "pool",
    "STRIDED_SLICE": "slice",
    "SLICE": "slice",
    **dict.fromkeys(("ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"), "add"),
}


@dataclass(frozen=True)
class Sample:
    """One row of one network. Attributes: kind; features; measured, for one of its repeats, as in OperatorCost."""

    kind: str
    features: Mapping[str, float]
    measured: Mapping[str, float]


_FIELDS = ("cycles", "cycles_npu", "cycles_sram", "slow", "encoded_weight_bytes", "scale_bytes")


def samples(graph: Graph, report: ResourceReport, micro_blocks: Sequence[Block]) -> list[Sample]:
    """The rows of all operators that the cost model has constants for."""
    known = [(number, _shape(op)) for number, op in enumerate(graph.operators) if op.name in _KINDS]
    shape = NetworkShape((), tuple(op for _, op in known), (), ())
    features = Features(shape, micro_blocks, NUMPY)
    table = features.at(np.zeros(0))
    return [
        Sample(
            row.kind,
            {name: float(values[place]) for name, values in table.items()} | {"tiles": features.tiles[place]},
            _measured(row, known, report),
        )
        for place, row in enumerate(features.rows)
    ]


def _measured(row: Row, known: Sequence[tuple[int, OperatorShape]], report: ResourceReport) -> Mapping[str, float]:
    costs = [cost for cost in report.operators if cost.source == known[row.step][0]]
    if row.kind == "gate":
        macs = int(row.channels_in.fixed * row.channels_out.fixed)
        costs = [cost for cost in costs if cost.encoded_weight_bytes and cost.macs == macs]
        return {name: value / max(1, len(costs)) for name, value in _sums(costs).items()}
    return _sums([cost for cost in costs if not cost.encoded_weight_bytes] if row.kind == "cell" else costs)


def _sums(costs: Iterable[OperatorCost]) -> dict[str, float]:
    return {name: sum(_value(cost, name) for cost in costs) for name in _FIELDS}


def _value(cost: OperatorCost, name: str) -> float:
    if name == "slow":
        return cost.cycles_dram + cost.cycles_off_chip_flash + cost.cycles_on_chip_flash
    return float(getattr(cost, name))


def _shape(op: Operator) -> OperatorShape:
    """An operator of a ``.tflite`` with all its channels fixed."""
    given, made, kind = op.inputs[2 if op.name == "TRANSPOSE_CONV" else 0], op.outputs[0], _KINDS[op.name]
    assert given is not None
    kernel, stride = _window(op, kind)
    is_flat = kind == "dense"
    width = op.inputs[1].shape[-1] if is_flat and op.inputs[1] is not None else given.shape[-1]
    return OperatorShape(
        name=made.name,
        kind=kind,
        inputs=tuple(range(sum(tensor is not None and tensor.data is None for tensor in op.inputs))),
        outputs=(0,),
        channels_in=_fixed(width),
        channels_out=_fixed(made.shape[-1]),
        positions_in=(1, 1) if is_flat else _positions(given),
        positions=_positions(made) if op.name != "MEAN" else (1, 1),
        kernel=kernel,
        stride=stride,
    )


def _fixed(count: int) -> Channels:
    return Channels(int(count), np.zeros(0))


def _positions(tensor: Tensor) -> tuple[int, int]:
    sizes = tensor.shape[1:-1]
    return (int(np.prod(sizes[:-1])), int(sizes[-1])) if sizes else (1, 1)


def _window(op: Operator, kind: str) -> tuple[tuple[int, int], tuple[int, int]]:
    options: Mapping[str, Any] = op.options
    if op.name == "MEAN" and op.inputs[0] is not None:
        return _positions(op.inputs[0]), (1, 1)
    stride = (int(options.get("strideH") or 1), int(options.get("strideW") or 1))
    if kind == "pool":
        return (int(options["filterHeight"]), int(options["filterWidth"])), stride
    weights = op.inputs[1] if len(op.inputs) > 1 else None
    return (
        (weights.shape[1], weights.shape[2]) if kind in ("conv", "depthwise", "transposed") and weights else (1, 1)
    ), stride
