"""Cells in a file: the operators of a recurrent layer that hold its weights, and these weights."""

import re
from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import Int8Array
from tinyprune.tflite.cells.cell import MERGED
from tinyprune.tflite.cells.unit_groups import SUFFIX, named_groups
from tinyprune.tflite.graph import Graph, Operator, Tensor
from tinyprune.tflite.kernels import int8_kernels
from tinyprune.tflite.operators import operator_type

_KERNELS = ("kernel", "recurrent_kernel", MERGED)


@dataclass(frozen=True, eq=False)
class CellKernels:
    """The kernels of a cell.

    Attributes:
        operators: those that read them; of a sequence, each frame has its own.
        kernels: "kernel", "recurrent_kernel" -> int8 weights (inputs, gates * units).
    """

    operators: tuple[Operator, ...]
    kernels: dict[str, Int8Array]


def cell_kernels(graph: Graph, layer: str, units: int) -> CellKernels | None:
    """Return the kernels of the cell of a layer; None where it is no cell.

    ``units``: of the layer.
    """
    operators = []
    parts: dict[str, dict[str, Int8Array]] = {}
    for operator in graph.operators:
        tensor = _weights(operator)
        if tensor is None:
            continue
        for name in _KERNELS:
            if re.fullmatch(rf"{re.escape(layer)}/{name}(_\d+)?({SUFFIX})?", tensor.name):
                operators.append(operator)
                parts.setdefault(name, {})[tensor.name] = int8_kernels(operator)["kernel"]
    if not operators:
        return None
    matrices = {}
    for name, by_part in parts.items():
        in_order = [named_groups(part, units).in_keras(by_part[part]) for part in sorted(by_part)]
        matrices[name] = np.concatenate(in_order, axis=-1)
    return CellKernels(tuple(operators), _by_kernel(matrices, units))


def _by_kernel(matrices: dict[str, Int8Array], units: int) -> dict[str, Int8Array]:
    """Return the kernels of Keras; a merged matrix has the rows of both."""
    if MERGED not in matrices:
        return matrices
    merged = matrices[MERGED]
    return {"kernel": merged[:-units], "recurrent_kernel": merged[-units:]}


def _weights(operator: Operator) -> Tensor | None:
    """The constant weights of a FULLY_CONNECTED."""
    known = operator_type(operator.name)
    return operator.constant(known.kernels[0].inputs[0]) if known.kind == "dense" else None
