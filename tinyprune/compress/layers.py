"""Keras layers whose kernels are ``effective = fake_quant(mask * kernel)``: mask and int8 grid are one composition.

Each is a mixin plus the plain Keras layer, holds the same kernel and bias, and gives the plain
layer back by :func:`tinyprune.compress.prepare.strip`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from tinyprune.compress import recurrence
from tinyprune.compress.fake_quant import MOMENTUM, FakeQuantize, fake_quantize_kernel
from tinyprune.compress.layer_kinds import bias, kernels
from tinyprune.compress.normaliser import Normaliser

# Ranges that TFLite prescribes: scale 1/256 and zero point -128, and 1/128 and 0.
PRESCRIBED = {"sigmoid": (0.0, 255 / 256), "softmax": (0.0, 255 / 256), "tanh": (-1.0, 127 / 128)}
FUSED_ACTIVATIONS = ("linear", "relu", "relu6")
POSITIVE = ("relu", "relu6")


def activation_name(function: Any) -> str:
    """Keras' name of an activation function; empty for a layer or a user's own."""
    name = keras.activations.serialize(function)
    return name if isinstance(name, str) else ""


class Compressed:
    """Masks and int8 kernels for a Keras layer; the subclass says which weights share a scale.

    Attributes:
        plain: the Keras layer that this is the compressed form of.
        masked: whether kernels have masks.
        quantized: whether kernels and activations are on their int8 grids.
        masks: kernel name -> mask variable of the kernel's shape.
        saliency: kernel name -> moving average of (gradient * weight)^2, of the kernel's shape;
            empty unless asked for.
        gates: kernel name -> what gives the gates of its inputs, of a shape that fits the kernel's;
            maybe empty.
    """

    plain: type[keras.Layer]

    def __init__(
        self, masked: bool = True, quantized: bool = True, salient: bool = False, **config: Any
    ) -> None:
        super().__init__(**config)
        self.masked, self.quantized, self._salient = masked, quantized, salient
        self.masks: dict[str, keras.Variable] = {}
        self.saliency: dict[str, keras.Variable] = {}
        self.gates: dict[str, Callable[[], tf.Tensor]] = {}

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build the plain layer, then a mask of ones for each kernel."""
        super().build(input_shape)  # type: ignore[misc]
        for name, kernel in kernels(self).items():
            if self.masked:
                self.masks[name] = self._beside(kernel, f"{name}_mask", "ones")
            if self._salient:
                self.saliency[name] = self._beside(kernel, f"{name}_saliency", "zeros")

    def _beside(self, kernel: keras.Variable, name: str, initializer: str) -> keras.Variable:
        add = self.add_weight  # type: ignore[attr-defined]
        return add(name=name, shape=kernel.shape, initializer=initializer, trainable=False)

    def observe(self, gradients: Mapping[str, tf.Tensor]) -> None:
        """Take a step's gradients of the kernels into the saliency (Molchanov et al. 2019, arXiv 1906.10771)."""
        for name, saliency in self.saliency.items():
            change = (gradients[name] * kernels(self)[name].value) ** 2
            saliency.assign(MOMENTUM * saliency.value + (1 - MOMENTUM) * change)

    def on_grid(self, kernel: tf.Tensor) -> tf.Tensor:
        """The kernel on its int8 grid, with the scales that TFLite will use."""
        raise NotImplementedError

    def effective(self, name: str) -> tf.Tensor:
        """``fake_quant(mask * gate * kernel)``, the weights that act; gradients reach kept weights only."""
        kernel = kernels(self)[name].value
        if self.masked:
            kernel = kernel * self.masks[name].value
        if name in self.gates:
            kernel = kernel * self.gates[name]()
        return self.on_grid(kernel) if self.quantized else kernel

    def factor(self) -> tf.Tensor | float:
        """What kernels are multiplied by when they are deployed, of a shape that fits theirs."""
        return 1.0

    def deployed(self) -> dict[str, tf.Tensor]:
        """The weights of the plain layer that computes what this one does: kernels on their grids, and the bias."""
        found = {name: self.effective(name) * self.factor() for name in kernels(self)}
        added = bias(self)
        return found if added is None else {**found, "bias": added.value}


class CompressedLinear(Compressed):
    """A layer ``activation(linear(inputs, kernel) + bias)`` with one scale per output channel.

    An activation that TFLite does not fuse gets a grid for its argument too.
    """

    CHANNEL_AXES: tuple[int, ...] = (-1,)  # of the kernel: each index there has a scale of its own

    def __init__(self, normalised: bool = False, **config: Any) -> None:
        super().__init__(**config)
        has_bias = self.use_bias  # type: ignore[attr-defined]
        self.normaliser = Normaliser(name="normaliser") if normalised and has_bias else None
        activation = activation_name(self.activation)  # type: ignore[attr-defined]
        fused = activation in FUSED_ACTIVATIONS
        # On its prescribed grid a class less likely than 1/512 has probability 0, and no gradient
        # to learn from.
        self._is_softmax = activation == "softmax"
        self.argument = FakeQuantize(name="argument") if self.quantized and not fused else None
        self.output_quantizer = (
            FakeQuantize(
                fixed=PRESCRIBED.get(activation), positive=activation in POSITIVE, name="output"
            )
            if self.quantized
            else None
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build the normaliser with the rest, so that all weights are there before the first call."""
        super().build(input_shape)
        if self.normaliser and (added := bias(self)) is not None:
            self.normaliser.build(tuple(added.shape))

    def on_grid(self, kernel: tf.Tensor) -> tf.Tensor:
        """One scale per output channel."""
        return fake_quantize_kernel(kernel, self._shared_axes(len(kernel.shape)))

    def _shared_axes(self, rank: int) -> list[int]:
        """The axes of a kernel along which nothing is per channel."""
        channels = {axis % rank for axis in self.CHANNEL_AXES}
        return [axis for axis in range(rank) if axis not in channels]

    def factor(self) -> tf.Tensor | float:
        """The factor of each output channel."""
        if self.normaliser is None:
            return 1.0
        shape = list(kernels(self)["kernel"].shape)
        for axis in self._shared_axes(len(shape)):
            shape[axis] = 1
        return tf.reshape(self.normaliser.factor(), shape)

    def deployed(self) -> dict[str, tf.Tensor]:
        """The weights of the plain layer, with the normaliser folded."""
        found = super().deployed()
        if self.normaliser:
            found["bias"] = found["bias"] + self.normaliser.shift()
        return found

    def linear(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """The product of inputs and kernel, as the plain layer computes it."""
        return self.convolution_op(inputs, kernel)  # type: ignore[attr-defined]

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """What the plain layer computes, with effective weights and, in int8, outputs on their grid."""
        outputs = self.linear(inputs, self.effective("kernel"))
        if self.normaliser:
            outputs = self.normaliser(outputs, training=training)
        if (added := bias(self)) is not None:
            outputs = tf.nn.bias_add(outputs, added.value)
        if self.argument:
            outputs = self.argument(outputs, training=training)
        outputs = self.activation(outputs)  # type: ignore[attr-defined]
        if self.output_quantizer is None or (training and self._is_softmax):
            return outputs
        return self.output_quantizer(outputs, training=training)


class CompressedDense(CompressedLinear, keras.layers.Dense):
    """Dense."""

    plain = keras.layers.Dense

    def linear(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Outputs (..., units) of inputs (..., features)."""
        return tf.tensordot(inputs, kernel, 1)


class CompressedConv1D(CompressedLinear, keras.layers.Conv1D):
    """Conv1D."""

    plain = keras.layers.Conv1D

    def linear(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """The convolution; a causal one looks back only."""
        causal = self.padding == "causal"
        return keras.ops.conv(
            keras.ops.pad(inputs, self._compute_causal_padding()) if causal else inputs,
            kernel,
            strides=list(self.strides),
            padding="valid" if causal else self.padding,
            dilation_rate=self.dilation_rate,
        )


class CompressedConv2D(CompressedLinear, keras.layers.Conv2D):
    """Conv2D."""

    plain = keras.layers.Conv2D


class CompressedDepthwiseConv2D(CompressedLinear, keras.layers.DepthwiseConv2D):
    """DepthwiseConv2D; its kernel has the channels on two axes."""

    plain = keras.layers.DepthwiseConv2D
    CHANNEL_AXES = (-2, -1)

    def linear(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """The convolution of each channel on its own."""
        return keras.ops.depthwise_conv(
            inputs,
            kernel,
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
        )


class CompressedConv2DTranspose(CompressedLinear, keras.layers.Conv2DTranspose):
    """Conv2DTranspose; its output channels are the last axis but one."""

    plain = keras.layers.Conv2DTranspose
    CHANNEL_AXES = (-2,)

    def linear(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """The transposed convolution."""
        return keras.ops.conv_transpose(
            inputs,
            kernel,
            strides=list(self.strides),
            padding=self.padding,
            output_padding=self.output_padding,
            dilation_rate=self.dilation_rate,
        )


class CompressedLSTM(Compressed, keras.layers.LSTM):
    """LSTM with one scale per gate matrix (4 + 4) and h on the int8 grid inside the loop; the cell state is left alone.

    TFLite keeps the cell state in 16 bits, which is as good as float32 here.
    """

    plain = keras.layers.LSTM

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self.output_quantizer = FakeQuantize(name="h") if self.quantized else None

    def on_grid(self, kernel: tf.Tensor) -> tf.Tensor:
        """One scale per gate."""
        gates = tf.reshape(kernel, (kernel.shape[0], 4, self.units))
        return tf.reshape(fake_quantize_kernel(gates, [0, 2]), kernel.shape)

    def call(
        self,
        sequences: tf.Tensor,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Outputs (batch, frames, units), or the last one (batch, units), of sequences (batch, frames, features).

        It starts from zero and takes no mask; :func:`tinyprune.compress.prepare.prepare` refuses
        both.
        """
        inputs = tf.transpose(sequences, (1, 0, 2))
        projected = tf.tensordot(inputs, self.effective("kernel"), 1)
        if self.use_bias:
            projected += self.cell.bias.value
        outputs = self._recur(projected, training)
        return tf.transpose(outputs, (1, 0, 2)) if self.return_sequences else outputs[-1]

    def _recur(self, projected: tf.Tensor, training: bool) -> tf.Tensor:
        quantizer, recurrent = self.output_quantizer, self.effective("recurrent_kernel")
        if not quantizer or quantizer.passing:
            outputs = recurrence.lstm(projected, recurrent, training=training)
        else:
            low, high = quantizer.low.value, quantizer.high.value
            outputs = recurrence.lstm(projected, recurrent, low, high, training)
        if quantizer and (training or quantizer.passing):
            quantizer.record(outputs)
        return outputs


COMPRESSED: dict[type[keras.Layer], type[keras.Layer]] = {
    each.plain: each
    for each in (
        CompressedDense,
        CompressedConv1D,
        CompressedConv2D,
        CompressedDepthwiseConv2D,
        CompressedConv2DTranspose,
        CompressedLSTM,
    )
}

CONVOLUTIONS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.Conv2DTranspose,
)
