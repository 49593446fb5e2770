"""Conv1D and Conv2D: kernels (spatial..., inputs, outputs)."""

from typing import Any

import keras
import tensorflow as tf

from tinyprune.compress import graph
from tinyprune.compress.kinds.base import KernelKind, pair
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

    def whole_because(self, layer: Any, kernel: str) -> str:
        """Return that a kernel of groups is several."""
        del kernel
        return "" if layer.groups == 1 else "a convolution in groups is several kernels: left whole"

    def factors(self, layer: Any, rank: int, name: str) -> tuple[Any, Any]:
        """Return the convolution with few outputs, and one of a single tap that has the rest."""
        first = graph.copy(layer, filters=rank, use_bias=False, activation="linear", name=name)
        single = {"kernel_size": 1, "strides": 1, "dilation_rate": 1, "padding": "valid"}
        return first, graph.copy(layer, use_bias=True, **single)

    def reach(self, layer: Any) -> int:
        """Return the past frames that the kernel sees."""
        return window_reach(layer)


class Conv1D(Convolution):
    """Conv1D; with causal padding it looks back by itself."""

    plain = keras.layers.Conv1D
    compressed = CompressedConv1D

    def kernel_inputs(self, layer: Any, inputs: Any) -> Any:
        """Return the windows (n, taps * channels) that the kernel sees."""
        padding = layer.padding
        if padding == "causal":
            inputs = keras.ops.pad(inputs, layer._compute_causal_padding())
            padding = "valid"
        row = inputs[:, None]
        return _windows(row, (1, *layer.kernel_size), layer, padding)

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

    def kernel_inputs(self, layer: Any, inputs: Any) -> Any:
        """Return the windows (n, taps * channels) that the kernel sees."""
        return _windows(inputs, layer.kernel_size, layer, layer.padding)


def _windows(inputs: tf.Tensor, size: tuple[int, ...], layer: Any, padding: str) -> tf.Tensor:
    """Return windows (n, rows * columns * channels) of images, in the order of a kernel."""
    windows = tf.image.extract_patches(
        inputs,
        sizes=[1, *size, 1],
        strides=[1, *pair(layer.strides), 1],
        rates=[1, *pair(layer.dilation_rate), 1],
        padding=padding.upper(),
    )
    return tf.reshape(windows, (-1, windows.shape[-1]))
