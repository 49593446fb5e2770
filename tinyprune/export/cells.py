"""Recurrent layers as cells of explicit operators: a network is converted without them.

TFLite has no operator for a GRU, so it always is one; an LSTM is one if it was learned so. What the
layers make is given to the converter's calibration as the float network computes it.
"""

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tinyprune import named_arrays
from tinyprune.array_types import Float32Array
from tinyprune.compress import graph
from tinyprune.compress.compiled import compiled
from tinyprune.compress.cut import Cut, cut
from tinyprune.compress.gate_functions import gate_functions
from tinyprune.compress.kinds.lookup import kernel_kind
from tinyprune.compress.streaming import Context
from tinyprune.export.converter import (
    CalibrationInputs,
    calibration_inputs,
    calls_of,
    end_names,
    named_conversion,
)
from tinyprune.models.ends import input_names, output_names
from tinyprune.tflite.cells.cell import CellWeights
from tinyprune.tflite.cells.functions import CellFunctions
from tinyprune.tflite.cells.insertion import Cell, NewTensor, State, insert
from tinyprune.tflite.cells.network_writer import H, Numbers
from tinyprune.tflite.flatbuffer import ParsedFile, parse

Values = dict[str, Float32Array]

_LOWEST_H = -128 * H.scale
_HIGHEST_H = 127 * H.scale


@dataclass(frozen=True, eq=False)
class Source:
    """A network that is to be converted.

    Attributes:
        model: plain Keras model in canonical form.
        stream: its form for one frame, where it has contexts; else the model.
        contexts: of that form.
        frames: time steps of one call; None for a model without a time axis.
        calibration: as of :func:`tinyprune.export.tflite.convert`.
    """

    model: keras.Model
    stream: keras.Model
    contexts: tuple[Context, ...]
    frames: int | None
    calibration: Float32Array


def cell_names(model: keras.Model) -> set[str]:
    """Return the layers of a model that become several operators each."""
    names = set()
    for layer in model.layers:
        kind = kernel_kind(layer)
        if kind is not None and kind.is_cell:
            names.add(layer.name)
    return names


def convert_with_cells(source: Source, names: Set[str]) -> tuple[ParsedFile, tuple[Context, ...]]:
    """Return the int8 flatbuffer of a network with these layers as cells, and its contexts.

    States are contexts too, behind those that the network has already. Raises what
    :func:`tinyprune.export.tflite.convert` does.
    """
    parts = _cut(source, names)
    calls = list(_values(source, parts))
    content = None
    if parts.rest is not None:
        made = {item.makes for item in parts.layers}

        def samples() -> Iterable[CalibrationInputs]:
            for values in [*calls, _with_whole_range(calls[-1], made)]:
                yield {name: values[name] for name in parts.rest_inputs}

        conversion = named_conversion(parts.rest, parts.rest_inputs, parts.rest_outputs, samples)
        content = conversion.to_int8().content
    keeps_state = source.frames is not None
    cells = []
    for item in parts.layers:
        weights = cell_weights(item.layer)
        makes_all = bool(item.layer.return_sequences)
        cells.append(Cell(item.layer.name, weights, item.reads, item.makes, keeps_state, makes_all))
    known = {*parts.rest_inputs, *parts.rest_outputs}
    made = {item.makes for item in parts.layers}
    new = {}
    for name, shape in parts.shapes.items():
        if name not in known:
            new[name] = NewTensor(shape, H if name in made else _grid(name, calls))
    content, states = insert(content, cells, new, parts.inputs, parts.outputs)
    path = Path(source.model.name)
    contexts = (*source.contexts, *map(_context, states))
    return ParsedFile(path, content, parse(path, content)), contexts


def _context(state: State) -> Context:
    return Context(state.name, 1, state.before.shape, state.before.dtype)


def _cut(source: Source, names: Set[str]) -> Cut:
    tensors = graph.functional(source.stream).inputs
    inputs, outputs = end_names(len(tensors))
    if _has_several_ends(source):
        inputs, outputs = input_names(source.model), output_names(source.model)
    shapes = []
    for tensor in tensors:
        batch_of_one = (1, *tensor.shape[1:])
        if source.frames is not None and not source.contexts:
            batch_of_one = (1, source.frames, *tensor.shape[2:])
        shapes.append(batch_of_one)
    return cut(source.stream, names, shapes, inputs, outputs)


def _has_several_ends(source: Source) -> bool:
    """Return whether inputs and outputs have names of their own."""
    model = source.model
    return source.frames is None and (len(model.inputs) > 1 or len(model.outputs) > 1)


def _values(source: Source, parts: Cut) -> Iterator[Values]:
    """Yield the inputs of every call, and what the layers make in it, by name."""
    names = {item.layer.name: item.makes for item in parts.layers}
    if source.frames is None:
        return _values_of_examples(source, parts, names)
    return _values_of_frames(source, source.frames, parts, names)


def _values_of_examples(source: Source, parts: Cut, names: dict[str, str]) -> Iterator[Values]:
    by_name = named_arrays.split(source.calibration)
    given = [by_name[name] for name in parts.inputs] if by_name else [source.calibration]
    inputs = [np.asarray(array, np.float32) for array in given]
    made = _made(source.model, inputs, names)
    for number in range(len(source.calibration)):
        one = slice(number, number + 1)
        now = {name: _on_range(values[one]) for name, values in made.items()}
        yield _call(parts, [array[one] for array in inputs], now)


def _values_of_frames(
    source: Source, frames: int, parts: Cut, names: dict[str, str]
) -> Iterator[Values]:
    features = np.asarray(source.calibration, np.float32)
    made = _made(source.model, [features[None]], names)
    if source.contexts:
        calls: Iterable[list[Float32Array]] = calibration_inputs(source.model, features)
    else:
        calls = ([call] for call in calls_of(features, frames))
    for number, inputs in enumerate(calls):
        time = slice(number * frames, (number + 1) * frames)
        now = {name: _on_range(values[:, time]) for name, values in made.items()}
        yield _call(parts, inputs, now)


def _call(parts: Cut, inputs: list[Float32Array], made: Values) -> Values:
    return {**dict(zip(parts.inputs.values(), inputs, strict=True)), **made}


def _made(model: keras.Model, given: list[Float32Array], names: dict[str, str]) -> Values:
    """Return what layers make of inputs, each (batch, ...): tensor name -> (batch, ...).

    ``names``: layer name -> tensor name.
    """

    @compiled
    def outputs(inputs: list[tf.Tensor]) -> dict[str, tf.Tensor]:
        made: dict[str, tf.Tensor] = {}

        def call(node: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
            values = node.operation(*args, **kwargs)
            if node.operation.name in names:
                made[names[node.operation.name]] = values
            return values

        graph.run(model, inputs, call)
        return made

    return {name: values.numpy() for name, values in outputs(given).items()}


def _on_range(h: Float32Array) -> Float32Array:
    """Return h without what is beyond its grid."""
    return np.clip(h, _LOWEST_H, _HIGHEST_H)


def _with_whole_range(values: Values, made: Set[str]) -> Values:
    """Return a call in which h has both ends of its grid, so that the converter takes that.

    Its least number is moved to the lower end and its largest to the upper one.
    """
    whole = dict(values)
    for name in made:
        h = values[name].copy()
        h.flat[h.argmax()] = _HIGHEST_H
        h.flat[h.argmin()] = _LOWEST_H
        whole[name] = h
    return whole


def _grid(name: str, calls: Iterable[Values]) -> Numbers:
    """Return the int8 grid of a tensor, as the converter makes it: from the extremes, with 0."""
    low = min(0.0, *(float(values[name].min()) for values in calls))
    high = max(0.0, *(float(values[name].max()) for values in calls))
    scale = (high - low) / 255 or 1.0
    return Numbers("int8", scale, round(-128 - low / scale))


def cell_weights(layer: Any) -> CellWeights:
    """Return the weights of an LSTM or GRU layer."""
    kernel = layer.cell.kernel.numpy()
    recurrent = layer.cell.recurrent_kernel.numpy()
    none = np.zeros(kernel.shape[1], np.float32)
    bias = layer.cell.bias.numpy() if layer.use_bias else none
    rows = bias.reshape(-1, kernel.shape[1])
    is_gru = isinstance(layer, keras.layers.GRU)
    functions = gate_functions(layer)
    return CellWeights(
        kind="gru" if is_gru else "lstm",
        kernel=kernel,
        recurrent_kernel=recurrent,
        input_bias=rows[0],
        recurrent_bias=rows[1] if len(rows) > 1 else none,
        reset_after=bool(getattr(layer, "reset_after", True)),
        functions=CellFunctions(functions.hard_gates, functions.hard_values),
        input_limit=getattr(layer, "input_limit", None),
    )
