"""From Vela's operators to layers: what an operator of the ``.tflite`` was split into is summed back into its layer."""

from collections.abc import Iterable, Sequence

from tinyprune.artifacts.resources import UNITS, Kernel, LayerCost, OperatorCost
from tinyprune.tflite.flatbuffer import Graph, Operator, Tensor, place

_WITH_KERNELS = ("CONV", "FULLY_CONNECTED", "LSTM", "GRU", "RNN", "MATMUL")


def layer_costs(
    operators: Sequence[OperatorCost], graph: Graph, names: Sequence[str] = ()
) -> tuple[LayerCost, ...]:
    """The costs of every layer, in the order of the ``.tflite``.

    Args:
        operators: of the compiled network. Where Vela does not say which operator of the
            ``.tflite`` each comes from, each is a layer of its own.
        graph: the network that was compiled.
        names: the layer of every operator in ``graph``; those with one name are one layer. Default:
            the places that the converter left in the names of their outputs.
    """
    if any(cost.source is None or cost.source >= len(graph.operators) for cost in operators):
        return tuple(_layer(cost.name, (), [cost]) for cost in operators)
    known = (
        list(names) if len(names) == len(graph.operators) else [place(op) for op in graph.operators]
    )
    members: dict[str, list[OperatorCost]] = {name: [] for name in known}
    for cost in operators:
        members[known[cost.source or 0]].append(cost)
    return tuple(
        _layer(
            name,
            [op for op, layer in zip(graph.operators, known, strict=True) if layer == name],
            costs,
        )
        for name, costs in members.items()
        if costs
    )


def _layer(name: str, sources: Iterable[Operator], costs: Sequence[OperatorCost]) -> LayerCost:
    """The sum of operators."""
    fields = ("cycles", *UNITS.values(), "encoded_weight_bytes", "scale_bytes")
    sums = {field: sum(getattr(cost, field) for cost in costs) for field in fields}
    on_npu = {cost.on_npu for cost in costs}
    return LayerCost(
        name=name,
        operators=tuple(op.name for op in sources) or tuple(cost.operator for cost in costs),
        kernels=_kernels(sources),
        macs=sum(cost.macs for cost in costs),
        sram_bytes=max(cost.sram_bytes for cost in costs),
        processor="NPU" if on_npu == {True} else "CPU" if on_npu == {False} else "NPU+CPU",
        bound_by=max(UNITS, key=lambda unit: sums[UNITS[unit]]) if True in on_npu else "",
        **sums,
    )


def _kernels(sources: Iterable[Operator]) -> tuple[Kernel, ...]:
    """The weights that operators read, each stored tensor once."""
    found: dict[int, Kernel] = {}
    for operator in sources:
        if any(word in operator.name for word in _WITH_KERNELS):
            for tensor in operator.inputs:
                if tensor is not None and _is_kernel(tensor):
                    found[tensor.buffer] = kernel(tensor)
    return tuple(found.values())


def _is_kernel(tensor: Tensor) -> bool:
    return (
        tensor.data is not None
        and len(tensor.shape) > 1
        and tensor.dtype in ("int8", "uint8", "int16")
    )


def kernel(tensor: Tensor) -> Kernel:
    """Shape and zeros of a constant tensor of weights."""
    import numpy as np

    values = np.asarray(tensor.data)
    zero = tensor.zero_point[0] if len(tensor.zero_point) else 0
    return Kernel(tuple(tensor.shape), int(np.count_nonzero(values == zero)))
