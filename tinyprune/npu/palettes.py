"""Kernels with few values: how many bytes Vela's encoder makes of them.

Their weights are indices into a palette. How many bits an index takes depends on how often each
value is there, so the encoder itself is asked, which is a function of the weights.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tinyprune.array_types import IntArray
from tinyprune.tflite.graph import Graph, Operator
from tinyprune.tflite.operators import KernelInputs, operator_type

#: Values that a palette of the encoder has room for.
MOST_VALUES = 32
#: Weights of a tensor that are encoded: the bytes of all others follow from theirs.
_SAMPLED = 2**16
_PIECES = 16
_TYPES = ("int8", "uint8")


def palette_bytes(graph: Graph) -> Mapping[str, float]:
    """Return ``operator/kernel`` -> encoded bytes per weight, of kernels with few values.

    An LSTM has ``operator/recurrent_kernel`` too; the bytes are those of its gates together.
    """
    found = {}
    for operator in graph.operators:
        for weights in operator_type(operator.name).kernels:
            matrices = _matrices(operator, weights)
            if matrices and all(map(_has_few_values, matrices)):
                name = f"{operator.outputs[0].name}/{weights.name}"
                size = sum(matrix.size for matrix in matrices)
                found[name] = sum(map(_encoded_bytes, matrices)) / size
    return found


def _matrices(operator: Operator, weights: KernelInputs) -> Sequence[IntArray]:
    """Return the constant tensors of a kernel as integers around the one that stands for 0."""
    matrices = []
    for number in weights.inputs:
        tensor = operator.constant(number)
        if tensor is not None and tensor.dtype in _TYPES and tensor.values.size:
            matrices.append(tensor.values.astype(np.int64) - tensor.integer_of_zero)
    return matrices


def _has_few_values(matrix: IntArray) -> bool:
    return np.unique(matrix).size <= MOST_VALUES


def _encoded_bytes(matrix: IntArray) -> float:
    """Return the bytes of a tensor; of a large one, as pieces of it tell."""
    from ethosu import mlw_codec

    weights = matrix.ravel()
    if weights.size > _SAMPLED:
        pieces = np.array_split(weights, _PIECES)
        weights = np.concatenate([piece[: _SAMPLED // _PIECES] for piece in pieces])
    encoded = len(mlw_codec.encode(weights.tolist()))
    return encoded * matrix.size / weights.size
