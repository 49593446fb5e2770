"""DepthwiseConv1D and DepthwiseConv2D: kernels (spatial..., channels, multiplier)."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tinyprune.array_types import IntArray
from tinyprune.compress.kinds.base import KernelChannels, KernelKind
from tinyprune.compress.kinds.channels import STAYS, UnitNumbers
from tinyprune.compress.kinds.frames import Shape, window, window_reach
from tinyprune.compress.layers import CompressedLinear
from tinyprune.sparsity.layout import Layout


class CompressedDepthwise(CompressedLinear):
    """The common part of both: the kernel has the channels on two axes."""

    CHANNEL_AXES = (-2, -1)

    def linear(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Return the convolution of each channel on its own."""
        return keras.ops.depthwise_conv(
            inputs,
            kernel,
            strides=self.strides,  # type: ignore[attr-defined]
            padding=self.padding,  # type: ignore[attr-defined]
            dilation_rate=self.dilation_rate,  # type: ignore[attr-defined]
        )


class CompressedDepthwiseConv1D(CompressedDepthwise, keras.layers.DepthwiseConv1D):
    """DepthwiseConv1D."""

    plain = keras.layers.DepthwiseConv1D


class CompressedDepthwiseConv2D(CompressedDepthwise, keras.layers.DepthwiseConv2D):
    """DepthwiseConv2D."""

    plain = keras.layers.DepthwiseConv2D


class Depthwise(KernelKind):
    """The common part of both: units of the input go on, each as often as the multiplier."""

    layout = Layout.DEPTHWISE
    operator = "depthwise"
    size_setting = None
    is_normalised = True

    def units(self, layer: Any, read: IntArray, numbers: UnitNumbers) -> IntArray:
        """Return the units that it reads, repeated."""
        del numbers
        return np.repeat(read, layer.depth_multiplier)

    def kernel_channels(self, read: IntArray, made: IntArray) -> dict[str, KernelChannels]:
        """Return the kernel's channels: each output sees one input, which always stays."""
        del read
        return {"kernel": KernelChannels(np.array([STAYS]), made)}

    @property
    def exported_operators(self) -> tuple[str, ...]:
        """Kinds of operators: a single input channel becomes a plain convolution."""
        return (self.operator, "conv")

    def frame_problem(self, layer: Any, shape: Shape, output_shape: Shape) -> str:
        """Return what a stride or padding does to frames."""
        return window(layer, shape, output_shape)

    def reach(self, layer: Any) -> int:
        """Return the past frames that the kernel sees."""
        return window_reach(layer)


class DepthwiseConv1D(Depthwise):
    """DepthwiseConv1D."""

    plain = keras.layers.DepthwiseConv1D
    compressed = CompressedDepthwiseConv1D


class DepthwiseConv2D(Depthwise):
    """DepthwiseConv2D."""

    plain = keras.layers.DepthwiseConv2D
    compressed = CompressedDepthwiseConv2D
