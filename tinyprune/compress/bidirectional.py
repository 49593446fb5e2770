"""Bidirectional LSTM or GRU layers as two, one of which reads the frames in reverse.

Schuster & Paliwal 1997, "Bidirectional recurrent neural networks".
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import layers

from tinyprune.compress import graph
from tinyprune.compress.kinds.channel_layers import Reverse
from tinyprune.compress.parts import Parts, copied

_MERGES: Mapping[str, type[keras.Layer]] = {
    "concat": layers.Concatenate,
    "sum": layers.Add,
    "mul": layers.Multiply,
    "ave": layers.Average,
}


def bidirectional(layer: Any, name: str) -> Parts:
    """Return both layers and what merges them; of others, or without a merge, a copy."""
    directions = {type(layer.forward_layer), type(layer.backward_layer)}
    are_alike = directions in ({layers.LSTM}, {layers.GRU})
    is_known = are_alike and layer.merge_mode in _MERGES
    return _Bidirectional(layer, name) if is_known else copied(layer, name)


class _Bidirectional(Parts):
    """The parts of a bidirectional layer."""

    def __init__(self, layer: Any, name: str) -> None:
        super().__init__()
        self._forward = graph.copy(layer.forward_layer, name=f"{name}_forward", trainable=True)
        self._backward = graph.copy(
            layer.backward_layer,
            name=f"{name}_backward",
            go_backwards=False,
            trainable=True,
        )
        self._reversed = Reverse(name=f"{name}_reversed")
        self._merged = _MERGES[layer.merge_mode](name=name)
        self._in_order = None
        if layer.backward_layer.return_sequences:
            self._in_order = Reverse(name=f"{name}_in_order")

    def __call__(self, sequence: Any, **kwargs: Any) -> Any:
        """Return outputs of both directions, merged; arguments are those of the forward layer."""
        forward = self._forward(sequence, **kwargs)
        backward = self._backward(self._reversed(sequence), **kwargs)
        if self._in_order is not None:
            backward = self._in_order(backward)
        return self._merged([forward, backward])

    @property
    def weights(self) -> Sequence[Any]:
        """Weights of the forward layer, then of the backward one."""
        return self._forward.weights + self._backward.weights

    def set_weights(self, values: Sequence[Any]) -> None:
        """Divide the weights between both."""
        half = len(values) // 2
        graph.set_weights(self._forward, values[:half])
        graph.set_weights(self._backward, values[half:])
