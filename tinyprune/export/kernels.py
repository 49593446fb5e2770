"""Kernels of a flatbuffer, brought back to the layers and the axis order that Keras has."""

from collections.abc import Iterator

import keras
import numpy as np
import numpy.typing as npt

from tinyprune.compress.prepare import kernels
from tinyprune.errors import CheckFailed
from tinyprune.flatbuffer import Graph, Operator

Int8 = npt.NDArray[np.int8]


def read_kernels(graph: Graph, model: keras.Model) -> dict[str, Int8]:
    """``layer/kernel`` -> int8 weights in the Keras shape, for the Dense and LSTM layers of a plain model.

    Operators come in the order of the layers. Raises CheckFailed if a layer and its operator do not fit.
    """
    operators = iter([op for op in graph.operators if op.name in ("UNIDIRECTIONAL_SEQUENCE_LSTM", "FULLY_CONNECTED")])
    weights: dict[str, Int8] = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.LSTM):
            found = dict(_lstm(next(operators, None)))
        elif isinstance(layer, keras.layers.Dense):
            found = dict(_dense(next(operators, None)))
        else:
            continue
        for name, variable in kernels(layer).items():
            if name not in found or found[name].shape != tuple(variable.shape):
                raise CheckFailed(
                    f"layer '{layer.name}' has no int8 operator of shape {tuple(variable.shape)} in the export"
                )
            weights[f"{layer.name}/{name}"] = found[name]
    return weights


def _lstm(operator: Operator | None) -> Iterator[tuple[str, Int8]]:
    """Four input matrices (units, features), then four recurrent ones (units, units), in the order i, f, g, o."""
    if operator and operator.name == "UNIDIRECTIONAL_SEQUENCE_LSTM":
        yield "kernel", np.concatenate([_data(operator, index).T for index in range(1, 5)], axis=1)
        yield "recurrent_kernel", np.concatenate([_data(operator, index).T for index in range(5, 9)], axis=1)


def _dense(operator: Operator | None) -> Iterator[tuple[str, Int8]]:
    """One matrix (units, features)."""
    if operator and operator.name == "FULLY_CONNECTED":
        yield "kernel", _data(operator, 1).T


def _data(operator: Operator, index: int) -> Int8:
    tensor = operator.inputs[index]
    if tensor is None or tensor.data is None or tensor.dtype != "int8":
        raise CheckFailed(f"input {index} of {operator.name} is no constant int8 matrix in the export")
    return tensor.data
