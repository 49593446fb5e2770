"""Costs of layers: the sums of the operators that Vela made of each."""

from collections import defaultdict
from collections.abc import Sequence

from tinyprune.artifacts.resources import Cycles, Kernel, LayerCost, OperatorCost
from tinyprune.tflite.graph import Graph, Operator, Tensor
from tinyprune.tflite.operators import operator_type

_WEIGHT_TYPES = ("int8", "uint8", "int16")


def layer_costs(
    operators: Sequence[OperatorCost], graph: Graph, names: Sequence[str] = ()
) -> tuple[LayerCost, ...]:
    """Return the costs of every layer, in the order of the ``.tflite``.

    Args:
        operators: of the compiled network. Where Vela does not say which operator of the
            ``.tflite`` each comes from, each is a layer of its own.
        graph: the network that was compiled.
        names: the layer of every operator in ``graph``; those with one name are one layer. Default:
            the places that the converter left in the names of their outputs.
    """
    layer_of: Sequence[str] = [operator.place for operator in graph.operators]
    if len(names) == len(graph.operators):
        layer_of = names
    costs = defaultdict(list)
    for cost in operators:
        if cost.source is None or cost.source >= len(graph.operators):
            return tuple(_layer(each.name, (), [each]) for each in operators)
        costs[layer_of[cost.source]].append(cost)

    sources = defaultdict(list)
    for operator, name in zip(graph.operators, layer_of, strict=True):
        sources[name].append(operator)
    return tuple(_layer(name, sources[name], costs[name]) for name in sources if name in costs)


def _layer(name: str, sources: Sequence[Operator], costs: Sequence[OperatorCost]) -> LayerCost:
    """Return the sum of operators."""
    cycles = Cycles.total(costs)
    processor = _processor(costs)
    return LayerCost(
        name=name,
        operators=tuple(op.name for op in sources) or tuple(cost.operator for cost in costs),
        kernels=_kernels(sources),
        macs=sum(cost.macs for cost in costs),
        sram_bytes=max(cost.sram_bytes for cost in costs),
        encoded_weight_bytes=sum(cost.encoded_weight_bytes for cost in costs),
        scale_bytes=sum(cost.scale_bytes for cost in costs),
        processor=processor,
        bound_by="" if processor == "CPU" else cycles.slowest_part,
        **cycles.as_fields(),
    )


def _processor(costs: Sequence[OperatorCost]) -> str:
    """Return "NPU", "CPU" or "NPU+CPU"."""
    is_on_npu = {cost.on_npu for cost in costs}
    if is_on_npu == {True}:
        return "NPU"
    return "NPU+CPU" if True in is_on_npu else "CPU"


def _kernels(sources: Sequence[Operator]) -> tuple[Kernel, ...]:
    """Return the weights that operators read, each stored tensor once."""
    by_buffer: dict[int, Kernel] = {}
    for operator in sources:
        if operator_type(operator.name).has_weights:
            for tensor in filter(_is_kernel, operator.given_inputs):
                by_buffer[tensor.buffer] = kernel(tensor)
    return tuple(by_buffer.values())


def _is_kernel(tensor: Tensor) -> bool:
    has_axes = len(tensor.shape) > 1
    return tensor.data is not None and has_axes and tensor.dtype in _WEIGHT_TYPES


def kernel(tensor: Tensor) -> Kernel:
    """Return shape and zeros of a constant tensor of weights."""
    import numpy as np

    values = np.asarray(tensor.data)
    zeros = int(np.count_nonzero(values == tensor.integer_of_zero))
    return Kernel(tuple(tensor.shape), zeros)
