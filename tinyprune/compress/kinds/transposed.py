"""Conv1DTranspose and Conv2DTranspose: kernels (spatial..., outputs, inputs)."""

from typing import Any

import keras
import tensorflow as tf

from tinyprune.compress.kinds.base import KernelKind
from tinyprune.compress.kinds.frames import Shape, transposed
from tinyprune.compress.layers import CompressedLinear
from tinyprune.sparsity.layout import Layout


class _CompressedTransposed(CompressedLinear):
    """The common part of both; output channels are the last axis but one."""

    CHANNEL_AXES = (-2,)

    def linear(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Return the transposed convolution."""
        layer: Any = self
        return keras.ops.conv_transpose(
            inputs,
            kernel,
            strides=list(layer.strides),
            padding=layer.padding,
            output_padding=layer.output_padding,
            dilation_rate=layer.dilation_rate,
        )


class CompressedConv1DTranspose(_CompressedTransposed, keras.layers.Conv1DTranspose):
    """Conv1DTranspose."""

    plain = keras.layers.Conv1DTranspose


class CompressedConv2DTranspose(_CompressedTransposed, keras.layers.Conv2DTranspose):
    """Conv2DTranspose."""

    plain = keras.layers.Conv2DTranspose


class _Transposed(KernelKind):
    """The common part of both."""

    layout = Layout.TRANSPOSED
    input_axis = -1
    operator = "transposed"
    size_setting = "filters"
    is_normalised = True

    def frame_problem(self, layer: Any, shape: Shape, output_shape: Shape) -> str:
        """Return what the kernel does to frames."""
        return transposed(layer, shape, output_shape)


class Conv1DTranspose(_Transposed):
    """Conv1DTranspose."""

    plain = keras.layers.Conv1DTranspose
    compressed = CompressedConv1DTranspose


class Conv2DTranspose(_Transposed):
    """Conv2DTranspose."""

    plain = keras.layers.Conv2DTranspose
    compressed = CompressedConv2DTranspose
