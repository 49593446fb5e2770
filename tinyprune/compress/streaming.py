"""A causal network as one frame per call, with the past as explicit inputs and outputs.

A layer that looks back (causal padding in time) is given its *context*, the frames before, joined
with the present frame; the last frames of that are its context in the next call. In the int8 graph
a context's input and output have the same scale and zero point, so that a device copies bytes from
one to the other.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from tinyprune.compress import graph
from tinyprune.compress.causality import (
    along_time,
    look_back,
    one_frame,
    require_causal,
    require_frames,
)
from tinyprune.errors import UsageError


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
