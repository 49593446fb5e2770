"""Conv1D and Conv2D: kernels (spatial..., inputs, outputs)."""

from typing import Any

import keras
import tensorflow as tf

from tinyprune.compress import graph
from tinyprune.compress.kinds.base import KernelKind
from tinyprune.compress.kinds.frames import Shape, window, window_reach
from tinyprune.compress.layers import CompressedLinear


class CompressedConv1D(CompressedLinear, keras.layers.Conv1D):
    """Conv1D."""

    plain = keras.layers.Conv1D

    def linear(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Return the convolution; a causal one looks back only."""
        padding = self.padding
        if padding == "causal":
            inputs = keras.ops.pad(inputs, self._compute_causal_padding())
            padding = "valid"
        return keras.ops.conv(
            inputs,
            kernel,
            strides=list(self.strides),
            padding=padding,
            dilation_rate=self.dilation_rate,
        )


class CompressedConv2D(CompressedLinear, keras.layers.Conv2D):
    """Conv2D."""

    plain = keras.layers.Conv2D


class Convolution(KernelKind):
    """The common part of both."""

    operator = "conv"
    size_setting = "filters"
    is_normalised = True

    def frame_problem(self, layer: Any, shape: Shape, output_shape: Shape) -> str:
        """Return what a stride or padding does to frames."""
        return window(layer, shape, output_shape)

    def reach(self, layer: Any) -> int:
        """Return the past frames that the kernel sees."""
        return window_reach(layer)


class Conv1D(Convolution):
    """Conv1D; with causal padding it looks back by itself."""

    plain = keras.layers.Conv1D
    compressed = CompressedConv1D

    def look_back(self, layer: Any) -> int:
        """Return the frames of causal padding."""
        return window_reach(layer) if layer.padding == "causal" else 0

    def one_frame(self, layer: Any, output_shape: Shape) -> Any:
        """Return a copy that reads a window with the past in it, dilated already."""
        if layer.padding == "causal":
            return graph.copy(layer, padding="valid", dilation_rate=1)
        return super().one_frame(layer, output_shape)


class Conv2D(Convolution):
    """Conv2D."""

    plain = keras.layers.Conv2D
    compressed = CompressedConv2D
