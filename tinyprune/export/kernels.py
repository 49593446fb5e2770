"""Kernels of a flatbuffer, brought back to the layers and the axis order that Keras has."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from tinyprune.array_types import Float32Array, Int8Array
from tinyprune.compress.layer_kinds import kernels, kind, layout
from tinyprune.errors import CheckFailed
from tinyprune.sparsity.layout import canonical, restored
from tinyprune.tflite.flatbuffer import Graph, Operator, Tensor, place

#: Keras layer -> the operators that it can become, and the axis of their weights that has the
#: output channels.
_OPERATORS: dict[type[keras.Layer], dict[str, int]] = {
    keras.layers.Dense: {"FULLY_CONNECTED": 0},
    keras.layers.Conv1D: {"CONV_2D": 0},
    keras.layers.Conv2D: {"CONV_2D": 0},
    keras.layers.DepthwiseConv2D: {
        "DEPTHWISE_CONV_2D": -1,
        "CONV_2D": 0,
    },  # the latter for a single input channel
    keras.layers.Conv2DTranspose: {"TRANSPOSE_CONV": 0},
}
_WEIGHTS_INPUT = 1  # of every operator in _OPERATORS


@dataclass(frozen=True, eq=False)
class Match:
    """A layer with kernels in a flatbuffer.

    Attributes:
        layer: of the plain model.
        operator: what it became.
        kernels: name -> int8 weights in the Keras shape.
    """

    layer: keras.Layer
    operator: Operator
    kernels: dict[str, Int8Array]


def match(graph: Graph, model: keras.Model) -> list[Match]:
    """The operator of every layer with kernels of a plain canonical model.

    An operator belongs to a layer if its weights have the layer's shape; of several such, to the
    one whose values are nearest. Raises CheckFailed if a layer has no operator.
    """
    free = [op for op in graph.operators if len(op.inputs) > _WEIGHTS_INPUT]
    found = []
    for layer in model.layers:
        if kind(layer) is not None:
            found.append(_best(layer, free))
            free.remove(found[-1].operator)
    return found


def read_kernels(graph: Graph, model: keras.Model) -> dict[str, Int8Array]:
    """``layer/kernel`` -> int8 weights in the Keras shape. Raises as :func:`match` does."""
    return {
        f"{m.layer.name}/{name}": data
        for m in match(graph, model)
        for name, data in m.kernels.items()
    }


def layer_names(graph: Graph, model: keras.Model, matches: Sequence[Match]) -> tuple[str, ...]:
    """The Keras layer of every operator: by its kernels; by the name of its output; else that of its input's maker."""
    by_kernels = {id(found.operator): found.layer.name for found in matches}
    known = {layer.name for layer in model.layers}
    names: list[str] = []
    makers: dict[str, str] = {}
    for operator in graph.operators:
        made_by = [
            makers[tensor.name]
            for tensor in operator.inputs
            if tensor is not None and tensor.name in makers
        ]
        name = (
            by_kernels.get(id(operator))
            or _named(operator, known)
            or next(iter(made_by), place(operator))
        )
        names.append(name)
        makers |= {tensor.name: name for tensor in operator.outputs}
    return tuple(names)


def _named(operator: Operator, known: set[str]) -> str | None:
    """The layer in the name of an operator's output; Keras puts a number behind the name of a layer that is called."""
    parts = [part for path in operator.outputs[0].name.split(";") for part in path.split("/")]
    return next(
        (name for part in parts for name in (part, re.sub(r"_\d+$", "", part)) if name in known),
        None,
    )


def _best(layer: keras.Layer, operators: list[Operator]) -> Match:
    """The operator that a layer became, and its kernels."""
    fitting = [(op, found) for op in operators if (found := _read(layer, op))]
    if not fitting:
        shapes = ", ".join(str(tuple(kernel.shape)) for kernel in kernels(layer).values())
        raise CheckFailed(
            f"layer '{layer.name}' has no int8 operator of shape {shapes} in the export"
        )
    trained = {name: _integers(layer, kernel.numpy()) for name, kernel in kernels(layer).items()}
    best = min(
        fitting,
        key=lambda pair: sum(int((pair[1][name] != trained[name]).sum()) for name in trained),
    )
    return Match(layer, *best)


def _integers(layer: keras.Layer, kernel: Float32Array) -> Int8Array:
    """The kernel on the int8 grid that TFLite gives it, in the Keras shape."""
    standard = canonical(kernel, layout(layer))
    matrix = standard.reshape(-1, standard.shape[-1])
    if isinstance(layer, keras.layers.LSTM):  # one scale per gate
        matrix = np.moveaxis(matrix.reshape(len(matrix), 4, -1), 1, 2).reshape(-1, 4)
    scale = np.maximum(np.abs(matrix).max(axis=0), 1e-30) / 127
    whole = np.round(matrix / scale).astype(np.int8)
    if isinstance(layer, keras.layers.LSTM):
        whole = np.moveaxis(whole.reshape(standard.shape[0], -1, 4), 2, 1)
    return restored(whole.reshape(standard.shape), layout(layer), kernel.shape)


def _read(layer: keras.Layer, operator: Operator) -> dict[str, Int8Array]:
    """Kernel name -> int8 weights, if the operator can be this layer; else nothing."""
    if isinstance(layer, keras.layers.LSTM):
        found = dict(_lstm(operator)) if operator.name == "UNIDIRECTIONAL_SEQUENCE_LSTM" else {}
    else:
        axis, tensor = _OPERATORS[_plain(layer)].get(operator.name), operator.inputs[_WEIGHTS_INPUT]
        if axis is None or not _is_int8(tensor):
            return {}
        found = {"kernel": _linear(layer, tensor.data, axis)}  # type: ignore[union-attr, arg-type]
    shapes = {name: tuple(kernel.shape) for name, kernel in kernels(layer).items()}
    return found if {name: data.shape for name, data in found.items()} == shapes else {}


def _plain(layer: keras.Layer) -> type[keras.Layer]:
    plain = kind(layer)
    assert plain is not None, "only layers with kernels are looked for"
    return plain


def _linear(layer: keras.Layer, data: Int8Array, axis: int) -> Int8Array:
    """Weights (outputs, ..., inputs) or, depthwise, (1, ..., outputs) in the Keras shape, if they can have it."""
    standard = np.moveaxis(data, axis, -1)
    shape = tuple(kernels(layer)["kernel"].shape)
    wanted = canonical(np.broadcast_to(np.int8(0), shape), layout(layer)).shape
    ones_aside = [size for size in standard.shape if size != 1] == [
        size for size in wanted if size != 1
    ]
    return restored(standard.reshape(wanted), layout(layer), shape) if ones_aside else standard


def _lstm(operator: Operator) -> Iterator[tuple[str, Int8Array]]:
    """Four input matrices (units, features), then four recurrent ones (units, units), in the order i, f, g, o."""
    matrices = [
        tensor for tensor in operator.inputs[1:9] if tensor is not None and _is_int8(tensor)
    ]
    if len(matrices) == 8:
        yield "kernel", np.concatenate([tensor.data.T for tensor in matrices[:4]], axis=1)  # type: ignore[union-attr]
        yield "recurrent_kernel", np.concatenate([tensor.data.T for tensor in matrices[4:]], axis=1)  # type: ignore[union-attr]


def _is_int8(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.data is not None and tensor.dtype == "int8"
