"""Costs of layers: the sums of the operators that Vela made of each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tinyprune.artifacts.cycles import Cycles
from tinyprune.artifacts.network import TensorSparsity
from tinyprune.artifacts.resources import Kernel, LayerCost, OperatorCost
from tinyprune.tflite.graph import Graph, Operator, Tensor
from tinyprune.tflite.operators import operator_type

_WEIGHT_TYPES = ("int8", "uint8", "int16")
#: ``on_npu`` of the operators of a layer -> what the layer runs on.
_PROCESSORS = {
    frozenset({True}): "NPU",
    frozenset({False}): "CPU",
    frozenset({True, False}): "NPU+CPU",
}


@dataclass(frozen=True)
class _Parts:
    """A layer in the ``.tflite`` and in the compiled network.

    Attributes:
        sources: its operators in the ``.tflite``.
        costs: the operators that Vela made of them.
    """

    sources: list[Operator]
    costs: list[OperatorCost]


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
    layer_of = layer_names(graph, names)
    layers: dict[str, _Parts] = {name: _Parts([], []) for name in layer_of}
    for operator, name in zip(graph.operators, layer_of, strict=True):
        layers[name].sources.append(operator)
    for cost in operators:
        if cost.source is None or cost.source >= len(graph.operators):
            return tuple(_layer(each.name, (), [each]) for each in operators)
        name = layer_of[cost.source]
        layers[name].costs.append(cost)

    compiled = []
    for name, parts in layers.items():
        if parts.costs:
            compiled.append(_layer(name, parts.sources, parts.costs))
    return tuple(compiled)


def stored_once(operators: Sequence[OperatorCost], graph: Graph) -> tuple[OperatorCost, ...]:
    """Return costs in which weights that several operators read belong to the first of them.

    The steps of a recurrent cell in a graph of many frames read the same weights, and Vela's table
    has them with each step; the file has them once. Arguments as of :func:`layer_costs`.
    """
    first: dict[tuple[int, ...], int | None] = {}
    counted = []
    for cost in operators:
        weights = _weight_buffers(graph, cost.source)
        is_first = first.setdefault(weights, cost.source) == cost.source
        if weights and not is_first:
            cost = replace(cost, encoded_weight_bytes=0, scale_bytes=0)
        counted.append(cost)
    return tuple(counted)


def _weight_buffers(graph: Graph, number: int | None) -> tuple[int, ...]:
    """Return the buffers of the weights that an operator reads; none if it is not known."""
    if number is None or number >= len(graph.operators):
        return ()
    kernels = filter(_is_kernel, graph.operators[number].constants)
    return tuple(tensor.buffer for tensor in kernels)


def weights_beside(
    graph: Graph, pruned: Collection[int], names: Sequence[str]
) -> tuple[TensorSparsity, ...]:
    """Return the weights that lie in none of the buffers ``pruned``, each stored tensor once.

    ``names``: as in :func:`layer_costs`; a tensor is called after the first layer that reads it.
    """
    dense: dict[int, TensorSparsity] = {}
    for operator, name in zip(graph.operators, layer_names(graph, names), strict=True):
        for buffer, weights in _kernels_by_buffer([operator]).items():
            counted = TensorSparsity(
                name=name,
                size=weights.size,
                masked=0,
                zeros=weights.zeros,
            )
            dense.setdefault(buffer, counted)
    for buffer in pruned:
        dense.pop(buffer, None)
    return tuple(dense.values())


def operator_layers(
    operators: Sequence[OperatorCost], graph: Graph, names: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the layer of every operator of the compiled network; arguments as :func:`layer_costs`.

    They have the names that :func:`layer_costs` gives them.
    """
    layer_of: dict[int | None, str] = dict(enumerate(layer_names(graph, names)))
    try:
        return tuple(layer_of[cost.source] for cost in operators)
    except KeyError:
        return tuple(cost.name for cost in operators)


def layer_names(graph: Graph, names: Sequence[str]) -> Sequence[str]:
    """Return the layer of every operator: its name if all are known, or else its place."""
    if len(names) == len(graph.operators):
        return names
    return [operator.place for operator in graph.operators]


def _layer(name: str, sources: Sequence[Operator], costs: Sequence[OperatorCost]) -> LayerCost:
    """Return the sum of operators."""
    cycles = Cycles.total(costs)
    operators = [operator.name for operator in sources]
    if not operators:
        operators = _values(costs, "operator")
    processor = _PROCESSORS[frozenset(_values(costs, "on_npu"))]
    bound_by = "" if processor == "CPU" else cycles.slowest_part
    return LayerCost(
        name=name,
        operators=tuple(operators),
        kernels=_kernels(sources),
        macs=sum(_values(costs, "macs")),
        sram_bytes=max(_values(costs, "sram_bytes")),
        encoded_weight_bytes=sum(_values(costs, "encoded_weight_bytes")),
        scale_bytes=sum(_values(costs, "scale_bytes")),
        processor=processor,
        bound_by=bound_by,
        **cycles.as_fields(),
    )


def _values(costs: Sequence[OperatorCost], field: str) -> list[Any]:
    """Return one field of all costs."""
    return [getattr(cost, field) for cost in costs]


def _kernels(sources: Sequence[Operator]) -> tuple[Kernel, ...]:
    """Return the weights that operators read, each stored tensor once."""
    return tuple(_kernels_by_buffer(sources).values())


def _kernels_by_buffer(sources: Sequence[Operator]) -> dict[int, Kernel]:
    by_buffer: dict[int, Kernel] = {}
    for operator in sources:
        if operator_type(operator.name).has_weights:
            for tensor in filter(_is_kernel, operator.constants):
                by_buffer[tensor.buffer] = kernel(tensor)
    return by_buffer


def _is_kernel(tensor: Tensor) -> bool:
    has_axes = len(tensor.shape) > 1
    return has_axes and tensor.dtype in _WEIGHT_TYPES


def kernel(tensor: Tensor) -> Kernel:
    """Return shape and zeros of a constant tensor of weights."""
    import numpy as np

    values = np.asarray(tensor.data)
    zeros = int(np.count_nonzero(values == tensor.integer_of_zero))
    return Kernel(tuple(tensor.shape), zeros)
