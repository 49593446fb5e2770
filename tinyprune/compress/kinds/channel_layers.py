"""Layers of the canonical form that Keras does not have: each is one operator or two of TFLite."""

from typing import Any

import keras
import tensorflow as tf

from tinyprune.compress.fake_quant import FakeQuantize
from tinyprune.compress.kinds.frames import Shape


@keras.saving.register_keras_serializable("tinyprune")
class ChannelScale(keras.layers.Layer):
    """``gamma * x + beta`` for each channel of the last axis.

    Attributes:
        has_gamma, has_beta: whether there is a factor, and a number that is added.
    """

    def __init__(self, has_gamma: bool = True, has_beta: bool = True, **config: Any) -> None:
        super().__init__(**config)
        self.has_gamma = has_gamma
        self.has_beta = has_beta

    def build(self, input_shape: Shape) -> None:
        """Make a number per channel."""
        shape = (input_shape[-1],)
        if self.has_gamma:
            self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones")
        if self.has_beta:
            self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")

    def call(self, values: tf.Tensor) -> tf.Tensor:
        """Return values (..., channels) scaled and moved."""
        if self.has_gamma:
            values = values * self.gamma.value
        if self.has_beta:
            values = values + self.beta.value
        return values

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the values."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return what makes the layer again."""
        own = {"has_gamma": self.has_gamma, "has_beta": self.has_beta}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("tinyprune")
class InverseRoot(keras.layers.Layer):
    """``1 / sqrt(x)`` of each number.

    Attributes:
        quantized: whether the roots are on their int8 grid. On the grid of the argument a small
            number is 0: its root is the largest of the grid, as in TFLite.
    """

    def __init__(self, quantized: bool = False, **config: Any) -> None:
        super().__init__(**config)
        self.quantized = quantized
        self._grid = FakeQuantize(positive=True, name="output") if quantized else None

    def build(self, input_shape: Shape) -> None:
        """Do nothing: there are no weights."""

    def call(self, values: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the inverse roots of values of any shape, positive or 0 if quantized."""
        if self._grid is None:
            return tf.math.rsqrt(values)
        is_zero = values <= 0
        roots = tf.math.rsqrt(tf.where(is_zero, tf.ones_like(values), values))
        # A root that is the largest by rule says nothing of the range.
        roots = tf.where(is_zero, tf.zeros_like(values), roots)
        roots = self._grid(roots, training=training)
        return tf.where(is_zero, self._grid.high.value, roots)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the values."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return what makes the layer again."""
        return {**super().get_config(), "quantized": self.quantized}


@keras.saving.register_keras_serializable("tinyprune")
class Reverse(keras.layers.Layer):
    """The frames of a sequence (batch, frames, ...) from the last to the first."""

    def call(self, sequence: tf.Tensor) -> tf.Tensor:
        """Return the sequence in reverse."""
        return tf.reverse(sequence, [1])

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the sequence."""
        return input_shape
