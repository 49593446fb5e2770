"""Conv2DTranspose: a kernel (rows, columns, outputs, inputs)."""

from typing import Any

import keras
import tensorflow as tf

from tinyprune.compress.kinds.base import KernelKind
from tinyprune.compress.kinds.frames import Shape, transposed
from tinyprune.compress.layers import CompressedLinear
from tinyprune.sparsity.layout import Layout


class CompressedConv2DTranspose(CompressedLinear, keras.layers.Conv2DTranspose):
    """Conv2DTranspose; its output channels are the last axis but one."""

    plain = keras.layers.Conv2DTranspose
    CHANNEL_AXES = (-2,)

    def linear(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Return the transposed convolution."""
        return keras.ops.conv_transpose(
            inputs,
            kernel,
            strides=list(self.strides),
            padding=self.padding,
            output_padding=self.output_padding,
            dilation_rate=self.dilation_rate,
        )


class Conv2DTranspose(KernelKind):
    """Conv2DTranspose."""

    plain = keras.layers.Conv2DTranspose
    compressed = CompressedConv2DTranspose
    layout = Layout.TRANSPOSED
    input_axis = -1
    operator = "transposed"
    size_setting = "filters"
    is_normalised = True

    def frame_problem(self, layer: Any, shape: Shape, output_shape: Shape) -> str:
        """Return what the kernel does to frames."""
        return transposed(layer, shape, output_shape)
