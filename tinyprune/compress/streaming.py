"""A causal network as one frame per call, with the past as explicit inputs and outputs.

A layer that looks back (causal padding in time) is given its *context*, the frames before, joined
with the present frame; the last frames of that are its context in the next call. In the int8 graph
a context's input and output have the same scale and zero point, so that a device copies bytes from
one to the other.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tinyprune.array_types import Float32Array
from tinyprune.artifacts.network import ContextState
from tinyprune.compress import graph
from tinyprune.compress.causality import (
    along_time,
    look_back,
    one_frame,
    require_causal,
    require_frames,
)
from tinyprune.compress.fused_lstm import with_fused_lstm
from tinyprune.errors import CheckFailed, UsageError
from tinyprune.tflite.flatbuffer import Tensor, read
from tinyprune.tflite.interpreter import CONTEXT, NEW_CONTEXT, signature_details


@dataclass(frozen=True)
class Context:
    """What a layer remembers of past frames.

    Attributes:
        name: of the layer that looks back; its second call is ``NAME_2``.
        frames: how many past frames.
        shape: (1, frames, ...) of the input and the output that carry them.
    """

    name: str
    frames: int
    shape: tuple[int, ...]


def streaming(model: keras.Model) -> tuple[keras.Model, tuple[Context, ...]]:
    """The one-frame form of a plain model that is causal along axis 1, with copies of its weights.

    ``(batch, frames, ...) -> (batch, frames, ...)`` becomes ``[(1, 1, ...), context...] -> [(1, 1,
    ...), new context...]``; an utterance starts with contexts of zeros. A context is made by
    ``ZeroPadding1D((p, 0))``, ``ZeroPadding2D(((p, 0), ...))`` and ``Conv1D(padding="causal")``. An
    LSTM becomes ``stateful``. A model without contexts is returned as it is, with ().

    Raises UsageError, naming the layer, for one that looks ahead or mixes frames in any other way,
    and for a model of several inputs or outputs.
    """
    source = graph.functional(model)
    if len(source.inputs) != 1 or len(source.outputs) != 1:
        raise UsageError(
            f"model '{model.name}' has several inputs or outputs: one frame per call needs one of each"
        )
    (given,) = source.inputs
    builder = _Builder()
    frame = keras.Input(batch_shape=(1, 1, *given.shape[2:]), dtype=given.dtype, name=given.name)
    (output,) = graph.run(model, [frame], builder.call)
    if output.shape[1] != 1:
        raise UsageError(
            f"model '{model.name}' makes {output.shape[1]} frames of one: its padding is too long"
        )
    if not builder.contexts:
        return model, ()
    stream = keras.Model([frame, *builder.past], [output, *builder.future], name=model.name)
    builder.copy_weights()
    return stream, tuple(builder.contexts)


class _Builder:
    """Builds the one-frame graph. Attributes: contexts; past, future: their inputs and outputs, in the same order."""

    def __init__(self) -> None:
        self.contexts: list[Context] = []
        self.past: list[keras.KerasTensor] = []
        self.future: list[keras.KerasTensor] = []
        self._copies: dict[int, tuple[Any, Any]] = {}
        self._calls: Counter[str] = Counter()

    def call(self, node: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """What a layer makes of one frame."""
        layer = node.operation
        require_causal(layer, node)
        shapes = [
            x.shape for x in keras.tree.flatten((args, kwargs)) if isinstance(x, keras.KerasTensor)
        ]
        require_frames(layer, [shape[1] for shape in shapes])
        if past := look_back(layer):
            window = self._window(layer.name, args[0], past)
            dilation = along_time(getattr(layer, "dilation_rate", 1))
            args = (window[:, ::dilation] if dilation > 1 else window, *args[1:])
        if id(layer) not in self._copies:
            self._copies[id(layer)] = layer, one_frame(layer, node.outputs[0].shape)
        _, copy = self._copies[id(layer)]
        return args[0] if copy is None else copy(*args, **kwargs)

    def _window(self, layer: str, present: keras.KerasTensor, frames: int) -> keras.KerasTensor:
        """The context joined with the present frame, (1, frames + 1, ...)."""
        self._calls[layer] += 1
        name = layer if self._calls[layer] == 1 else f"{layer}_{self._calls[layer]}"
        context = Context(name, frames, (1, frames, *present.shape[2:]))
        past = keras.Input(batch_shape=context.shape, dtype=present.dtype, name=f"{name}_context")
        window = layers.Concatenate(axis=1, name=f"{name}_window")([past, present])
        kind, crop = (
            (layers.Cropping1D, (1, 0))
            if present.ndim == 3
            else (layers.Cropping2D, ((1, 0), (0, 0)))
        )
        self.contexts.append(context)
        self.past.append(past)
        self.future.append(kind(crop, name=f"{name}_new_context")(window))
        return window

    def copy_weights(self) -> None:
        """Into the layers of the one-frame graph."""
        for layer, copy in self._copies.values():
            if isinstance(copy, keras.Layer):
                copy.set_weights(layer.get_weights())


# --- the int8 graph
# ---------------------------------------------------------------------------------------------------


def calibration_inputs(model: keras.Model, features: Float32Array) -> Iterator[list[Float32Array]]:
    """The inputs of every call of the one-frame form of a float model over consecutive features (n, ...).

    The past of a call is cut out of what the whole sequence makes of the features: one pass instead
        of n.
    """
    frames = np.asarray(features, np.float32)
    joined = [
        (look_back(node.operation), node)
        for node in graph.nodes(model)
        if look_back(node.operation)
    ]

    @tf.function
    def presents(sequence: tf.Tensor) -> list[tf.Tensor]:
        given: dict[int, tf.Tensor] = {}

        def call(node: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
            given[id(node)] = args[0]
            return node.operation(*args, **kwargs)

        graph.run(model, [sequence], call)
        return [given[id(node)] for _, node in joined]

    pasts = [
        np.pad(present.numpy()[0], [(length, 0), *[(0, 0)] * (present.ndim - 2)])
        for (length, _), present in zip(joined, presents(frames[None]), strict=True)
    ]
    for start, frame in enumerate(frames):
        contexts = (
            past[None, start : start + length]
            for (length, _), past in zip(joined, pasts, strict=True)
        )
        yield [frame[None, None], *contexts]


def tflite_converter(function: Any, variables: Sequence[keras.Variable]) -> Any:
    """A TFLite converter of a concrete function that computes with these variables; it keeps names and fused LSTMs."""
    module = tf.Module()
    # Only if it can track all variables does it save the model first, and so find composite
    # functions and a signature.
    module.weights = [variable.value for variable in variables]
    return tf.lite.TFLiteConverter.from_concrete_functions([function], module)


def stream_converter(
    model: keras.Model, stream: keras.Model, features: Float32Array
) -> tuple[Any, Callable[[], Iterable[dict[str, Float32Array]]]]:
    """A TFLite converter of the one-frame form of a model, and its calibration on consecutive features (n, ...).

    The signature of the flatbuffer calls the inputs ``features``, ``context_1``, ... and the
    outputs ``output``, ``new_context_1``, ..., in the order of :func:`streaming`'s contexts; the
    order of the flatbuffer's own lists is the converter's.
    """
    fused, numbers = with_fused_lstm(stream), range(1, len(stream.inputs))
    inputs = ["features", *(f"{CONTEXT}{number}" for number in numbers)]
    outputs = ["output", *(f"{NEW_CONTEXT}{number}" for number in numbers)]

    def step(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        return dict(zip(outputs, fused(list(values)), strict=True))

    signature = [
        tf.TensorSpec(given.shape, name=name)
        for name, given in zip(inputs, stream.inputs, strict=True)
    ]
    function = tf.function(step, input_signature=signature, autograph=False).get_concrete_function()

    def samples() -> Iterable[dict[str, Float32Array]]:
        return (
            dict(zip(inputs, values, strict=True)) for values in calibration_inputs(model, features)
        )

    return tflite_converter(function, fused.variables), samples


def check_contexts(path: Path, contexts: Sequence[Context]) -> tuple[ContextState, ...]:
    """The states of the flatbuffer that :func:`stream_converter` makes of a model with these contexts, in their order.

    Raises CheckFailed if a context is missing, has another shape, or if its input and output differ
    in shape, type, scale or zero point.
    """
    if not contexts:
        return ()
    tensors = read(path)
    given, made = ([tensor.name for tensor in side] for side in (tensors.inputs, tensors.outputs))
    before, after = signature_details(path)
    states = []
    for number, context in enumerate(contexts, 1):
        names = f"{CONTEXT}{number}", f"{NEW_CONTEXT}{number}"
        if names[0] not in before or names[1] not in after:
            raise CheckFailed(
                f"{path}: context {number}, of layer '{context.name}', is no input and output of the graph"
            )
        positions = given.index(before[names[0]]["name"]), made.index(after[names[1]]["name"])
        states.append(
            _state(
                path,
                context,
                tensors.inputs[positions[0]],
                tensors.outputs[positions[1]],
                positions,
            )
        )
    return tuple(states)


def _state(
    path: Path, context: Context, old: Tensor, new: Tensor, positions: tuple[int, int]
) -> ContextState:
    kinds = [(t.dtype, t.shape, t.scale.tolist(), t.zero_point.tolist()) for t in (old, new)]
    if kinds[0] != kinds[1] or kinds[0][:2] != ("int8", context.shape) or len(old.scale) != 1:
        raise CheckFailed(
            f"{path}: the context of layer '{context.name}' cannot be copied as bytes: its input is "
            f"{_described(old)}, its output {_described(new)}; calibrate on more frames"
        )
    scale, zero_point = float(old.scale[0]), int(old.zero_point[0])
    return ContextState(context.name, old.name, new.name, *positions, old.shape, scale, zero_point)


def _described(tensor: Tensor) -> str:
    return f"{tensor.dtype} {tensor.shape} scale {tensor.scale.tolist()} zero point {tensor.zero_point.tolist()}"
