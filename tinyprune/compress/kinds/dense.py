"""Dense: one matrix (inputs, outputs), the same for every position."""

from typing import Any

import keras
import tensorflow as tf

from tinyprune.compress.kinds.base import KernelKind
from tinyprune.compress.kinds.frames import Shape, frame_by_frame
from tinyprune.compress.layers import CompressedLinear


class CompressedDense(CompressedLinear, keras.layers.Dense):
    """Dense."""

    plain = keras.layers.Dense

    def linear(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Return outputs (..., units) of inputs (..., features)."""
        return tf.tensordot(inputs, kernel, 1)


class Dense(KernelKind):
    """Dense."""

    plain = keras.layers.Dense
    compressed = CompressedDense
    operator = "dense"

    def frame_problem(self, layer: Any, shape: Shape, output_shape: Shape) -> str:
        """Every frame is treated alone."""
        return frame_by_frame(layer, shape, output_shape)
