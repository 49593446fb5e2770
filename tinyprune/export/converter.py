"""Conversions of a plain model to int8 by TensorFlow, each with its calibration inputs.

A sequence runs with one frame per call or with many. With one frame, a model that looks back gets
its past as inputs and outputs beside its own (:mod:`tinyprune.compress.streaming`).
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert import ConverterError

from tinyprune import named_arrays
from tinyprune.array_types import Float32Array
from tinyprune.compress import graph
from tinyprune.compress.causality import look_back
from tinyprune.compress.compiled import compiled
from tinyprune.compress.export_layers import with_export_layers
from tinyprune.errors import CheckFailed
from tinyprune.export.empty_ranges import always_zero, quantized_with_ranges
from tinyprune.export.matching import layer_in_output_name
from tinyprune.models.ends import input_names, output_names
from tinyprune.tflite.flatbuffer import ParsedFile, parse
from tinyprune.tflite.graph import Operator, float_operators
from tinyprune.tflite.int8_functions import with_int8_functions
from tinyprune.tflite.interpreter import CONTEXT, NEW_CONTEXT

#: One call of a network: its inputs in order, or by their names in the signature.
CalibrationInputs = Sequence[Float32Array] | Mapping[str, Float32Array]

log = logging.getLogger(__name__)

_FEATURES, _OUTPUT = "features", "output"  # names in the signature, beside those of contexts
_OPERATOR_IN_MESSAGE = re.compile(r"op: '([\w.]+)'|'(tf\.\w+)' op|Op (\w+) is not")


@dataclass(frozen=True)
class Conversion:
    """A network that is ready to be converted.

    Attributes:
        model: that is converted.
        converter: makes a ``tf.lite.TFLiteConverter``, which converts once.
        samples: the inputs of one call after the other, in an order that matters where the network
            keeps a state.
    """

    model: keras.Model
    converter: Callable[[], Any]
    samples: Callable[[], Iterable[CalibrationInputs]]

    def to_int8(self) -> ParsedFile:
        """Convert to a fully int8 network.

        Raises CheckFailed that names the operators that cannot be int8.
        """
        problem = f"model '{self.model.name}' cannot be fully int8 in TFLite"
        try:
            content: bytes = self._int8_converter().convert()
        except (RuntimeError, ValueError, tf.errors.OpError, ConverterError) as error:
            names = _operators_in(str(error))
            raise CheckFailed(f"{problem}: {names}; replace the layers that need it") from error

        file = self._parsed(content)
        silent = always_zero(file.graph)
        if silent:
            log.warning("%s: 0 for every calibration input", ", ".join(self._names(silent)))
            file = self._parsed(quantized_with_ranges(self._int8_converter()))
        # The converter leaves these without a word.
        in_float = float_operators(file.graph)
        if in_float:
            raise CheckFailed(
                f"{problem}: {', '.join(in_float)} stays in float; replace the layers that need it"
            )
        return file

    def _names(self, operators: Sequence[Operator]) -> list[str]:
        """The layer of each operator, or its place; each once."""
        known = {layer.name for layer in self.model.layers}
        names: dict[str, None] = {}
        for operator in operators:
            names[layer_in_output_name(operator, known) or operator.place] = None
        return list(names)

    def _int8_converter(self) -> Any:
        converter = self.converter()
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = self.samples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
        return converter

    def _parsed(self, content: bytes) -> ParsedFile:
        path = Path(self.model.name)
        int8_content = with_int8_functions(content, parse(path, content))
        return ParsedFile(path, int8_content, parse(path, int8_content))


def _operators_in(message: str) -> str:
    """Return the operators that a message of the converter names; else its first line."""
    names: dict[str, None] = {}
    for groups in _OPERATOR_IN_MESSAGE.findall(message):
        for name in groups:
            if name:
                names[name] = None
    return ", ".join(names) or message.split("\n")[0]


def conversion(model: keras.Model, frames: int | None, calibration: Float32Array) -> Conversion:
    """Return the conversion of a model without a past.

    Args:
        model: plain Keras model in canonical form.
        frames: time steps of one call; None for a model without a time axis.
        calibration: inputs (n, ...) of real data; of several inputs, with their names; with
            ``frames``, consecutive features (n, bands).
    """
    if len(model.inputs) > 1 or len(model.outputs) > 1:
        return _named_conversion(model, calibration)
    fused = with_export_layers(model)
    calls = calibration[:, None] if frames is None else calls_of(calibration, frames)
    signature = [tf.TensorSpec(calls.shape[1:])]
    traced = tf.function(fused, input_signature=signature, autograph=False)
    function = traced.get_concrete_function()

    def samples() -> Iterable[CalibrationInputs]:
        return ([call] for call in calls)

    return Conversion(model, _converter(function, fused.variables), samples)


def _named_conversion(model: keras.Model, calibration: np.ndarray) -> Conversion:
    """Return the conversion of a model with several inputs or outputs, which its signature names.

    The order of the flatbuffer's own lists is the converter's.
    """
    fused = with_export_layers(model)
    inputs, outputs = input_names(model), output_names(model)
    arrays = named_arrays.split(calibration) or {inputs[0]: calibration}
    calls = [
        {name: arrays[name][row : row + 1] for name in inputs} for row in range(len(calibration))
    ]

    def step(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        arranged = values[0]
        if len(inputs) > 1:
            arranged = keras.tree.pack_sequence_as(fused.input, list(values))
        made = keras.tree.flatten(fused(arranged))
        return dict(zip(outputs, made, strict=True))

    signature = [tf.TensorSpec((1, *arrays[name].shape[1:]), name=name) for name in inputs]
    function = tf.function(step, input_signature=signature, autograph=False).get_concrete_function()
    return Conversion(model, _converter(function, fused.variables), lambda: calls)


def one_frame_conversion(
    model: keras.Model, stream: keras.Model, features: Float32Array
) -> Conversion:
    """Return the conversion of the one-frame form of a model that looks back.

    The signature of the flatbuffer calls the inputs ``features``, ``context_1``, ... and the
    outputs ``output``, ``new_context_1``, ..., in the order of the contexts; the order of the
    flatbuffer's own lists is the converter's.

    Args:
        model: plain Keras model in canonical form.
        stream: its one-frame form (:func:`tinyprune.compress.streaming.streaming`).
        features: consecutive features (n, ...) to calibrate on.
    """
    inputs, outputs = end_names(len(stream.inputs))

    def samples() -> Iterable[CalibrationInputs]:
        for values in calibration_inputs(model, features):
            yield dict(zip(inputs, values, strict=True))

    return named_conversion(stream, inputs, outputs, samples)


def end_names(count: int) -> tuple[list[str], list[str]]:
    """Return the names of that many inputs and of as many outputs: its own, then contexts."""
    numbers = range(1, count)
    inputs = [_FEATURES]
    inputs += [f"{CONTEXT}{number}" for number in numbers]
    outputs = [_OUTPUT]
    outputs += [f"{NEW_CONTEXT}{number}" for number in numbers]
    return inputs, outputs


def named_conversion(
    model: keras.Model,
    inputs: Sequence[str],
    outputs: Sequence[str],
    samples: Callable[[], Iterable[CalibrationInputs]],
) -> Conversion:
    """Return the conversion of a model whose signature calls its ends by these names.

    Args:
        model: of lists of inputs and outputs, all of one batch and of fixed shapes.
        inputs, outputs: their names.
        samples: as of :class:`Conversion`, by name.
    """
    fused = with_export_layers(model)

    def step(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        given = values[0] if len(values) == 1 else list(values)
        made = keras.tree.flatten(fused(given))
        return dict(zip(outputs, made, strict=True))

    signature = []
    for name, tensor in zip(inputs, model.inputs, strict=True):
        signature.append(tf.TensorSpec(tensor.shape, name=name))
    function = tf.function(step, input_signature=signature, autograph=False).get_concrete_function()
    return Conversion(model, _converter(function, fused.variables), samples)


def _converter(function: Any, variables: Sequence[keras.Variable]) -> Callable[[], Any]:
    """Return what makes converters of a concrete function that computes with these variables.

    It keeps names and fused LSTMs.
    """
    module = tf.Module()
    # Only if it can track all variables does it save the model first, and so find composite
    # functions and a signature.
    module.weights = [variable.value for variable in variables]
    return lambda: tf.lite.TFLiteConverter.from_concrete_functions([function], module)


def calls_of(features: Float32Array, frames: int) -> Float32Array:
    """Return features (n, bands) as inputs of consecutive calls (n // frames, 1, frames, bands)."""
    whole_calls = features[: len(features) // frames * frames]
    return whole_calls.reshape(-1, 1, frames, *features.shape[1:])


def calibration_inputs(model: keras.Model, features: Float32Array) -> Iterator[list[Float32Array]]:
    """Yield the inputs of every call of the one-frame form of a float model.

    The past of a call is cut out of what the whole sequence makes of the features: one pass instead
    of n.

    Args:
        model: plain Keras model in canonical form, which looks back.
        features: consecutive features (n, ...).
    """
    frames = np.asarray(features, np.float32)
    nodes = [node for node in graph.nodes(model) if look_back(node.operation)]
    lengths = [look_back(node.operation) for node in nodes]

    @compiled
    def inputs_of_nodes(sequence: tf.Tensor) -> list[tf.Tensor]:
        read: dict[int, tf.Tensor] = {}

        def call(node: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
            read[id(node)] = args[0]
            return node.operation(*args, **kwargs)

        graph.run(model, [sequence], call)
        return [read[id(node)] for node in nodes]

    pasts = []
    for length, present in zip(lengths, inputs_of_nodes(frames[None]), strict=True):
        padding = [(length, 0)] + [(0, 0)] * (present.ndim - 2)
        pasts.append(np.pad(present.numpy()[0], padding))

    for start, frame in enumerate(frames):
        inputs = [frame[None, None]]
        for length, past in zip(lengths, pasts, strict=True):
            inputs.append(past[None, start : start + length])
        yield inputs
