"""SimpleRNN layers as the layers of their steps.

``h_t = f(W x_t + b + U h_(t-1))`` (Elman 1990, "Finding structure in time"). TFLite has an operator
for it that Ethos-U does not, so the steps are written out: ``W x + b`` of all frames is one kernel,
``U`` is one kernel that every step calls.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from tinyprune.compress import graph
from tinyprune.compress.activations import activation_name
from tinyprune.compress.parts import Parts


class SimpleRNNSteps(Parts):
    """The parts of a SimpleRNN on a fixed number of frames.

    Args:
        layer: the SimpleRNN.
        name: what the names of its parts begin with.
        is_turned: whether the first of its outputs is that of the last step.
    """

    def __init__(self, layer: Any, name: str, is_turned: bool = False) -> None:
        super().__init__()
        self._layer = layer
        self._is_turned = is_turned
        self._name = name
        self._inputs = layers.Dense(layer.units, use_bias=layer.use_bias, name=f"{name}_inputs")
        self._recurrent = layers.Dense(layer.units, use_bias=False, name=f"{name}_recurrent")
        self._others: dict[str, keras.Layer] = {}  # without weights, the same in every call

    def __call__(self, sequence: Any, **kwargs: Any) -> Any:
        """Return outputs (batch, frames, units), or those of the last step (batch, units)."""
        del kwargs
        if self._layer.dropout:
            dropout = layers.SpatialDropout1D(self._layer.dropout, name=f"{self._name}_dropout")
            sequence = self._only(dropout)(sequence)
        projected = self._inputs(sequence)
        frames = list(range(sequence.shape[1]))
        if self._layer.go_backwards:
            frames.reverse()
        states: list[Any] = []
        for frame in frames:
            states.append(self._step(projected, frame, states))
        if not self._layer.return_sequences:
            return states[-1]
        return self._rows(states[::-1] if self._is_turned else states)

    def _step(self, projected: Any, frame: int, before: Sequence[Any]) -> Any:
        """Return the state after a frame; ``before``: the states of the frames before it."""
        name = self._name
        after = projected.shape[1] - frame - 1
        cut = self._only(layers.Cropping1D((frame, after), name=f"{name}_frame_{frame}"))
        value = self._only(layers.Flatten(name=f"{name}_flat_{frame}"))(cut(projected))
        if before:
            added = self._only(layers.Add(name=f"{name}_sum_{frame}"))
            value = added([value, self._recurrent(before[-1])])
        function = activation_name(self._layer.activation)
        if function == "linear":
            return value
        return self._only(layers.Activation(function, name=f"{name}_state_{frame}"))(value)

    def _rows(self, states: Sequence[Any]) -> Any:
        """Return states as rows of a sequence."""
        shape = (1, self._layer.units)
        rows = []
        for step, state in enumerate(states):
            row = self._only(layers.Reshape(shape, name=f"{self._name}_row_{step}"))
            rows.append(row(state))
        if len(rows) == 1:
            return rows[0]
        return self._only(layers.Concatenate(axis=1, name=self._name))(rows)

    def _only(self, layer: keras.Layer) -> keras.Layer:
        """Return the layer of this name that there is already, else this one."""
        return self._others.setdefault(layer.name, layer)

    @property
    def weights(self) -> Sequence[Any]:
        """Weights in the order of the layer: kernel, recurrent kernel, bias."""
        kernel, *bias = self._inputs.weights
        return [kernel, *self._recurrent.weights, *bias]

    def set_weights(self, values: Sequence[Any]) -> None:
        """Divide the weights between both kernels."""
        kernel, recurrent, *bias = values
        graph.set_weights(self._inputs, [kernel, *bias])
        if self._recurrent.built:  # not on one frame alone
            graph.set_weights(self._recurrent, [recurrent])
