"""The layers of a Keras model in its flatbuffer, and their kernels in Keras axis order."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from tinyprune.array_types import Float32Array, Int8Array
from tinyprune.compress.kinds.base import kernels
from tinyprune.compress.kinds.lookup import kernel_kind, require_kernel_kind
from tinyprune.errors import CheckFailed
from tinyprune.sparsity.layout import canonical, canonical_shape, restored
from tinyprune.tflite.cells.reading import cell_kernels
from tinyprune.tflite.graph import Graph, Operator
from tinyprune.tflite.kernels import int8_kernels
from tinyprune.tflite.operators import operator_type


@dataclass(frozen=True, eq=False)
class Match:
    """A layer with kernels in a flatbuffer.

    Attributes:
        layer: of the plain model.
        operators: what it became: one, or those of a recurrent cell that hold its kernels.
        kernels: name -> int8 weights in the Keras shape.
    """

    layer: keras.Layer
    operators: tuple[Operator, ...]
    kernels: dict[str, Int8Array]

    def distance(self, trained: dict[str, Int8Array]) -> int:
        """Return how many weights differ from those of a layer."""
        count = 0
        for name, weights in trained.items():
            count += int(np.count_nonzero(self.kernels[name] != weights))
        return count


def match(graph: Graph, model: keras.Model) -> list[Match]:
    """Return the operator of every layer with kernels of a plain canonical model.

    An operator belongs to a layer if its weights have the layer's shape; of several such, to the
    one whose values are nearest. Raises CheckFailed if a layer has no operator.
    """
    cells = _cells(graph, model)
    of_cells = {id(operator) for cell in cells.values() for operator in cell.operators}
    free = []
    for operator in graph.operators:
        if operator_type(operator.name).kernels and id(operator) not in of_cells:
            free.append(operator)
    matches = []
    for layer in model.layers:
        if layer.name in cells:
            matches.append(cells[layer.name])
        elif kernel_kind(layer) is not None:
            matched = _nearest(layer, free)
            matches.append(matched)
            free.remove(*matched.operators)
    return matches


def _cells(graph: Graph, model: keras.Model) -> dict[str, Match]:
    """Return the layers that are cells of explicit operators, by name."""
    cells = {}
    for layer in model.layers:
        found = None
        if isinstance(layer, keras.layers.RNN):
            found = cell_kernels(graph, layer.name, layer.units)
        if found is not None:
            cells[layer.name] = Match(layer, found.operators, found.kernels)
    return cells


def read_kernels(graph: Graph, model: keras.Model) -> dict[str, Int8Array]:
    """Return ``layer/kernel`` -> int8 weights in the Keras shape. Raises as :func:`match` does."""
    weights = {}
    for matched in match(graph, model):
        for name, data in matched.kernels.items():
            weights[f"{matched.layer.name}/{name}"] = data
    return weights


def layer_names(graph: Graph, model: keras.Model, matches: Sequence[Match]) -> tuple[str, ...]:
    """Return the Keras layer of every operator.

    By its kernels; else by the name of its output; else the layer that makes its input; else its
    place in the network.
    """
    by_kernels = {}
    for matched in matches:
        for operator in matched.operators:
            by_kernels[id(operator)] = matched.layer.name
    known = {layer.name for layer in model.layers}
    makers: dict[str, str] = {}
    names = []
    for operator in graph.operators:
        candidates = (
            by_kernels.get(id(operator)),
            layer_in_output_name(operator, known),
            _maker_of_inputs(operator, makers),
            operator.place,
        )
        name = next(filter(None, candidates), "")
        names.append(name)
        for tensor in operator.outputs:
            makers[tensor.name] = name
    return tuple(names)


def layer_in_output_name(operator: Operator, known: set[str]) -> str:
    """Return the layer in the name of an operator's output; empty if there is none.

    Keras puts a number behind the name of a layer that is called.
    """
    for part in re.split("[;/]", operator.outputs[0].name):
        layer_name = re.sub(r"_\d+$", "", part)
        if part in known:
            return part
        if layer_name in known:
            return layer_name
    return ""


def _maker_of_inputs(operator: Operator, makers: dict[str, str]) -> str:
    """Return the layer that makes the first input whose maker is known; empty if none is."""
    for tensor in operator.given_inputs:
        if tensor.name in makers:
            return makers[tensor.name]
    return ""


def _nearest(layer: keras.Layer, operators: list[Operator]) -> Match:
    """Return the operator whose weights are nearest to those of a layer."""
    candidates = []
    for operator in operators:
        weights = _keras_kernels(layer, operator)
        if weights:
            candidates.append(Match(layer, (operator,), weights))

    trained = {}
    for name, kernel in kernels(layer).items():
        trained[name] = rounded_to_int8(layer, kernel.numpy())
    if not candidates:
        shapes = ", ".join(str(kernel.shape) for kernel in trained.values())
        raise CheckFailed(
            f"layer '{layer.name}' has no int8 operator of shape {shapes} in the export"
        )
    return min(candidates, key=lambda candidate: candidate.distance(trained))


def rounded_to_int8(layer: keras.Layer, kernel: Float32Array) -> Int8Array:
    """Return the kernel on the int8 grid that TFLite gives it, in the Keras shape."""
    kind = require_kernel_kind(layer)
    standard = canonical(kernel, kind.layout)
    outputs = standard.shape[-1]
    scales = kind.scales(outputs)
    by_scale = standard.reshape(-1, scales, outputs // scales)
    largest = np.abs(by_scale).max(axis=(0, 2), keepdims=True)
    scale = np.maximum(largest, 1e-30) / 127
    integers = np.round(by_scale / scale).astype(np.int8)
    return restored(integers.reshape(standard.shape), kind.layout, kernel.shape)


def _keras_kernels(layer: keras.Layer, operator: Operator) -> dict[str, Int8Array]:
    """Return kernel name -> int8 weights if the operator can be this layer; else nothing."""
    kind = require_kernel_kind(layer)
    if operator_type(operator.name).kind not in kind.exported_operators:
        return {}
    weights = int8_kernels(operator)
    keras_kernels = {}
    for name, kernel in kernels(layer).items():
        if name not in weights:
            return {}
        shape = tuple(kernel.shape)
        expected = canonical_shape(shape, kind.layout)
        exported = weights[name]
        if _without_ones(exported.shape) != _without_ones(expected):
            return {}
        keras_kernels[name] = restored(exported.reshape(expected), kind.layout, shape)
    return keras_kernels


def _without_ones(shape: tuple[int, ...]) -> list[int]:
    """Return the sizes above 1: a Conv1D is a CONV_2D of one row."""
    return [size for size in shape if size != 1]
