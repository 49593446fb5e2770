"""Bidirectional recurrent layers as two, one of which reads the frames in reverse.

Schuster & Paliwal 1997, "Bidirectional recurrent neural networks".
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import layers

from tinyprune.compress import graph
from tinyprune.compress.kinds.channel_layers import Reverse
from tinyprune.compress.parts import Parts, Single, copied
from tinyprune.compress.recurrent_forms import exportable
from tinyprune.compress.simple_rnn import SimpleRNNSteps

_MERGES: Mapping[str, type[keras.Layer]] = {
    "concat": layers.Concatenate,
    "sum": layers.Add,
    "mul": layers.Multiply,
    "ave": layers.Average,
}


def bidirectional(layer: Any, name: str) -> Parts:
    """Return both layers and what merges them; of others, or without a merge, a copy."""
    directions = {type(layer.forward_layer), type(layer.backward_layer)}
    if layer.merge_mode not in _MERGES:
        return copied(layer, name)
    if directions in ({layers.LSTM}, {layers.GRU}):
        return _Bidirectional(layer, name, Single(_forward(layer, name)), _Reversed(layer, name))
    if directions == {layers.SimpleRNN}:
        forward = SimpleRNNSteps(layer.forward_layer, f"{name}_forward")
        backward = SimpleRNNSteps(layer.backward_layer, f"{name}_backward", is_turned=True)
        return _Bidirectional(layer, name, forward, backward)
    return copied(layer, name)


def _forward(layer: Any, name: str) -> keras.Layer:
    return exportable(graph.copy(layer.forward_layer, name=f"{name}_forward", trainable=True))


class _Reversed(Single):
    """The backward layer, which is given the frames in reverse; its outputs are in order."""

    def __init__(self, layer: Any, name: str) -> None:
        own_name = f"{name}_backward"
        settings = {"name": own_name, "go_backwards": False, "trainable": True}
        super().__init__(exportable(graph.copy(layer.backward_layer, **settings)))
        self._reversed = Reverse(name=f"{name}_reversed")
        self._in_order = None
        if layer.backward_layer.return_sequences:
            self._in_order = Reverse(name=f"{name}_in_order")

    def __call__(self, sequence: Any, **kwargs: Any) -> Any:
        """Return outputs by frame, or the one of the first frame."""
        outputs = super().__call__(self._reversed(sequence), **kwargs)
        return outputs if self._in_order is None else self._in_order(outputs)


class _Bidirectional(Parts):
    """The parts of a bidirectional layer."""

    def __init__(self, layer: Any, name: str, forward: Parts, backward: Parts) -> None:
        super().__init__()
        self._forward = forward
        self._backward = backward
        self._merged = _MERGES[layer.merge_mode](name=name)

    def __call__(self, sequence: Any, **kwargs: Any) -> Any:
        """Return outputs of both directions, merged; arguments are those of the forward layer."""
        forward = self._forward(sequence, **kwargs)
        backward = self._backward(sequence, **kwargs)
        return self._merged([forward, backward])

    @property
    def weights(self) -> Sequence[Any]:
        """Weights of the forward layer, then of the backward one."""
        return [*self._forward.weights, *self._backward.weights]

    def set_weights(self, values: Sequence[Any]) -> None:
        """Divide the weights between both."""
        half = len(values) // 2
        self._forward.set_weights(values[:half])
        self._backward.set_weights(values[half:])
