"""Dense: one matrix (inputs, outputs), the same for every position."""

from typing import Any

import keras
import tensorflow as tf

from tinyprune.compress import graph
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

    def whole_because(self, layer: Any, kernel: str) -> str:
        """It can be two."""
        del layer, kernel
        return ""

    def factors(self, layer: Any, rank: int, name: str) -> tuple[Any, Any]:
        """Return two Dense layers."""
        first = keras.layers.Dense(rank, use_bias=False, name=name)
        return first, graph.copy(layer, use_bias=True)

    def frame_problem(self, layer: Any, shape: Shape, output_shape: Shape) -> str:
        """Every frame is treated alone."""
        return frame_by_frame(layer, shape, output_shape)
