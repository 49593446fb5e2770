"""Positions of frames, learned and added to their features."""

from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    import tensorflow as tf


@keras.saving.register_keras_serializable("tinyprune")
class Positions(keras.layers.Layer):
    """A learned number for each frame and channel of (batch, frames, channels), added to it."""

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Make the numbers."""
        self.positions = self.add_weight(
            name="positions",
            shape=input_shape[1:],
            initializer=keras.initializers.RandomNormal(stddev=0.02),
        )

    def call(self, values: "tf.Tensor") -> "tf.Tensor":
        """Return the sequence with its positions."""
        return values + self.positions.value

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the shape of the sequence."""
        return input_shape
