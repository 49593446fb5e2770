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
from tinyprune.compress.causality import require_causal, require_frames
from tinyprune.compress.kinds.frames import along_time
from tinyprune.compress.kinds.lookup import layer_kind
from tinyprune.errors import UsageError


@dataclass(frozen=True)
class Context:
    """The past frames that a layer remembers.

    Attributes:
        name: of the layer that looks back; its second call is ``NAME_2``.
        frames: number of past frames.
        shape: (1, frames, ...) of the input and the output that carry them.
        dtype: of both in the int8 graph; that of a recurrent layer's state may be another.
    """

    name: str
    frames: int
    shape: tuple[int, ...]
    dtype: str = "int8"


def streaming(model: keras.Model) -> tuple[keras.Model, tuple[Context, ...]]:
    """Return the one-frame form of a plain model that is causal along axis 1, and its contexts.

    ``(batch, frames, ...) -> (batch, frames, ...)`` becomes ``[(1, 1, ...), context...] -> [(1, 1,
    ...), new context...]``; an utterance starts with contexts of zeros. A context is made by
    ``ZeroPadding1D((p, 0))``, ``ZeroPadding2D(((p, 0), ...))`` and ``Conv1D(padding="causal")``. An
    LSTM becomes ``stateful``. Weights are copied. A model without contexts is returned as it is,
    with ().

    Raises UsageError, naming the layer, for one that looks ahead or mixes frames in any other way,
    and for a model of several inputs or outputs.
    """
    source = graph.functional(model)
    if len(source.inputs) != 1 or len(source.outputs) != 1:
        raise UsageError(
            f"model '{model.name}' has several inputs or outputs: "
            "one frame per call needs one of each"
        )
    sequence = source.inputs[0]
    frame_shape = (1, 1, *sequence.shape[2:])
    frame = keras.Input(batch_shape=frame_shape, dtype=sequence.dtype, name=sequence.name)
    builder = _Builder()
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
    """Builds the one-frame graph.

    Attributes:
        contexts: of its layers, in the order of their calls.
        past, future: inputs and outputs of the contexts, in the same order.
    """

    def __init__(self) -> None:
        self.contexts: list[Context] = []
        self.past: list[keras.KerasTensor] = []
        self.future: list[keras.KerasTensor] = []
        self._copies: dict[int, tuple[Any, Any]] = {}
        self._calls: Counter[str] = Counter()

    def call(self, node: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Return the outputs of a layer for one frame."""
        layer = node.operation
        kind = layer_kind(layer)
        if kind.is_training_only:
            return args[0]
        require_causal(layer, node)
        require_frames(layer, _frames(args, kwargs))

        frames = kind.look_back(layer)
        if frames:
            window = self._window(layer.name, args[0], frames)
            dilation = along_time(getattr(layer, "dilation_rate", 1))
            if dilation > 1:
                window = window[:, ::dilation]
            args = (window, *args[1:])
        if id(layer) not in self._copies:
            self._copies[id(layer)] = layer, kind.one_frame(layer, node.outputs[0].shape)
        _, copy = self._copies[id(layer)]
        return args[0] if copy is None else copy(*args, **kwargs)

    def _window(self, layer: str, present: keras.KerasTensor, frames: int) -> keras.KerasTensor:
        """The context joined with the present frame, (1, frames + 1, ...)."""
        self._calls[layer] += 1
        call = self._calls[layer]
        name = layer if call == 1 else f"{layer}_{call}"
        context = Context(name, frames, (1, frames, *present.shape[2:]))
        past = keras.Input(batch_shape=context.shape, dtype=present.dtype, name=f"{name}_context")
        window = layers.Concatenate(axis=1, name=f"{name}_window")([past, present])
        self.contexts.append(context)
        self.past.append(past)
        self.future.append(_without_first_frame(f"{name}_new_context", present.ndim)(window))
        return window

    def copy_weights(self) -> None:
        """Copy the weights into the layers of the one-frame graph."""
        for layer, copy in self._copies.values():
            if isinstance(copy, keras.Layer):
                copy.set_weights(layer.get_weights())


def _frames(args: tuple, kwargs: dict[str, Any]) -> list[int]:
    """The number of frames of each tensor that a layer is called with."""
    leaves = keras.tree.flatten((args, kwargs))
    return [leaf.shape[1] for leaf in leaves if isinstance(leaf, keras.KerasTensor)]


def _without_first_frame(name: str, rank: int) -> keras.Layer:
    if rank == 3:
        return layers.Cropping1D((1, 0), name=name)
    return layers.Cropping2D(((1, 0), (0, 0)), name=name)
