"""Keras layers with kernels ``effective = fake_quant(mask * gate * kernel)``: one composition.

Where a kernel has few values, ``fake_quant`` takes the nearest of them (``fake_quant.py``).

Each is a mixin of this module plus the plain Keras layer (``kinds/``), holds the same kernel and
bias, and gives the plain layer back by :func:`tinyprune.compress.prepare.strip`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from tinyprune.compress.activations import FUSED, POSITIVE, PRESCRIBED, activation_name
from tinyprune.compress.fake_quant import (
    MOMENTUM,
    FakeQuantize,
    fake_cluster_kernel,
    fake_quantize_kernel,
    in_steps,
)
from tinyprune.compress.kinds.base import bias, kernels
from tinyprune.compress.normaliser import Normaliser


class Compressed:
    """Masks and int8 kernels for a Keras layer; the subclass says which weights share a scale.

    Attributes:
        plain: the Keras layer that this is the compressed form of.
        masked: whether kernels have masks.
        quantized: whether kernels and activations are on their int8 grids.
        masks: kernel name -> mask variable of the kernel's shape.
        saliency: kernel name -> moving average of (gradient * weight)^2, of the kernel's shape;
            empty unless ``salient`` is set.
        gates: kernel name -> function that returns the gates of its inputs, of a shape that fits
            the kernel's; maybe empty.
        palettes: kernel name -> the few values that its weights may have, (matrices, values), in
            steps of its int8 grid; empty unless ``few_values`` names it.
    """

    plain: type[keras.Layer]
    #: Number of matrices of a kernel that TFLite stores as tensors of their own.
    MATRICES = 1

    def __init__(
        self,
        masked: bool = True,
        quantized: bool = True,
        salient: bool = False,
        few_values: Mapping[str, int] | None = None,
        **config: Any,
    ) -> None:
        super().__init__(**config)
        self.masked = masked
        self.quantized = quantized
        self._salient = salient
        self.masks: dict[str, keras.Variable] = {}
        self.saliency: dict[str, keras.Variable] = {}
        self.gates: dict[str, Callable[[], tf.Tensor]] = {}
        self.palettes: dict[str, keras.Variable] = {}
        self._few_values = dict(few_values or {})

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build the plain layer, then a mask of ones for each kernel."""
        super().build(input_shape)  # type: ignore[misc]
        for name, kernel in kernels(self).items():
            if self.masked:
                self.masks[name] = self._beside(kernel, f"{name}_mask", "ones")
            if self._salient:
                self.saliency[name] = self._beside(kernel, f"{name}_saliency", "zeros")
            if name in self._few_values:
                shape = (self.MATRICES, self._few_values[name])
                self.palettes[name] = self._fixed(shape, f"{name}_palette", "zeros")

    def _beside(self, kernel: keras.Variable, name: str, initializer: str) -> keras.Variable:
        return self._fixed(kernel.shape, name, initializer)

    def _fixed(self, shape: tuple[int, ...], name: str, initializer: str) -> keras.Variable:
        add = self.add_weight  # type: ignore[attr-defined]
        return add(name=name, shape=shape, initializer=initializer, trainable=False)

    def observe(self, gradients: Mapping[str, tf.Tensor]) -> None:
        """Take a step's gradients of the kernels into the saliency.

        Molchanov et al. 2019, arXiv 1906.10771.
        """
        for name, saliency in self.saliency.items():
            kernel = kernels(self)[name].value
            change = (gradients[name] * kernel) ** 2
            saliency.assign(MOMENTUM * saliency.value + (1 - MOMENTUM) * change)

    def on_grid(self, kernel: tf.Tensor) -> tf.Tensor:
        """Return the kernel on its int8 grid, with the scales that TFLite will use."""
        raise NotImplementedError

    def on_palette(self, kernel: tf.Tensor, palettes: tf.Tensor) -> tf.Tensor:
        """Return the kernel on its int8 grid with few values; palettes are (matrices, values)."""
        raise NotImplementedError

    def kernel_steps(self, name: str) -> list[tf.Tensor]:
        """Return each matrix of a masked kernel, as it is deployed, in steps of its int8 grid."""
        raise NotImplementedError

    def effective(self, name: str) -> tf.Tensor:
        """Return the weights that act, ``fake_quant(mask * gate * kernel)``.

        Gradients reach kept weights only.
        """
        kernel = self._masked_kernel(name)
        if name in self.palettes:
            kernel = self.on_palette(kernel, self.palettes[name].value)
            return self._masked(kernel, name)  # zero may not be in a palette yet
        return self.on_grid(kernel) if self.quantized else kernel

    def _masked_kernel(self, name: str) -> tf.Tensor:
        """Return ``mask * gate * kernel``."""
        kernel = self._masked(kernels(self)[name].value, name)
        if name in self.gates:
            kernel = kernel * self.gates[name]()
        return kernel

    def _masked(self, kernel: tf.Tensor, name: str) -> tf.Tensor:
        return kernel * self.masks[name].value if self.masked else kernel

    def factor(self) -> tf.Tensor | float:
        """Return the factor of kernels when they are deployed, of a shape that fits theirs."""
        return 1.0

    def deployed(self) -> dict[str, tf.Tensor]:
        """Return the weights of the plain layer that computes the same.

        These are the kernels on their grids, and the bias.
        """
        weights = {}
        for name in kernels(self):
            weights[name] = self.effective(name) * self.factor()
        own_bias = bias(self)
        if own_bias is not None:
            weights["bias"] = own_bias.value
        return weights


class CompressedLinear(Compressed):
    """A layer ``activation(linear(inputs, kernel) + bias)`` with one scale per output channel.

    An activation that TFLite does not fuse gets a grid for its argument too.

    Attributes:
        CHANNEL_AXES: axes of the kernel; each index there has a scale of its own.
        gives_chances: whether the outputs are probabilities of classes, which have no grid while
            they learn.
    """

    CHANNEL_AXES: tuple[int, ...] = (-1,)

    def __init__(self, normalised: bool = False, **config: Any) -> None:
        super().__init__(**config)
        has_bias = self.use_bias  # type: ignore[attr-defined]
        self.normaliser = Normaliser(name="normaliser") if normalised and has_bias else None
        activation = activation_name(self.activation)  # type: ignore[attr-defined]
        # On its prescribed grid a class less likely than 1/512 has probability 0, and no gradient
        # to learn from.
        self.gives_chances = activation == "softmax"
        self._is_relu = activation == "relu"
        self.argument: FakeQuantize | None = None
        self.output_quantizer: FakeQuantize | None = None
        if not self.quantized:
            return
        if activation not in FUSED:
            self.argument = FakeQuantize(name="argument")
        self.output_quantizer = FakeQuantize(
            fixed=PRESCRIBED.get(activation), positive=activation in POSITIVE, name="output"
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build the normaliser with the rest: all weights are there before the first call."""
        super().build(input_shape)
        own_bias = bias(self)
        if self.normaliser and own_bias is not None:
            self.normaliser.build(tuple(own_bias.shape))

    def on_grid(self, kernel: tf.Tensor) -> tf.Tensor:
        """Return the kernel with one scale per output channel."""
        return fake_quantize_kernel(kernel, self._shared_axes(len(kernel.shape)))

    def on_palette(self, kernel: tf.Tensor, palettes: tf.Tensor) -> tf.Tensor:
        """Return the kernel with few values, which those of the deployed kernel are."""
        axes = self._shared_axes(len(kernel.shape))
        signs = self._signs()
        return signs * fake_cluster_kernel(signs * kernel, axes, palettes[0])

    def kernel_steps(self, name: str) -> list[tf.Tensor]:
        """Return the one matrix that the kernel is."""
        kernel = self._signs() * self._masked_kernel(name)
        return [in_steps(kernel, self._shared_axes(len(kernel.shape)))]

    def _signs(self) -> tf.Tensor | float:
        """Return -1 for outputs whose factor is negative, which turns all their integers round."""
        if self.normaliser is None:
            return 1.0
        return tf.where(self.factor() < 0, -1.0, 1.0)

    def _shared_axes(self, rank: int) -> list[int]:
        """The axes of a kernel along which nothing is per channel."""
        channel_axes = {axis % rank for axis in self.CHANNEL_AXES}
        return [axis for axis in range(rank) if axis not in channel_axes]

    def factor(self) -> tf.Tensor | float:
        """Return the factor of each output channel."""
        if self.normaliser is None:
            return 1.0
        shape = list(kernels(self)["kernel"].shape)
        for axis in self._shared_axes(len(shape)):
            shape[axis] = 1
        return tf.reshape(self.normaliser.factor(), shape)

    def deployed(self) -> dict[str, tf.Tensor]:
        """Return the weights of the plain layer, with the normaliser folded."""
        weights = super().deployed()
        if self.normaliser:
            weights["bias"] = weights["bias"] + self.normaliser.shift()
        return weights

    def linear(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Return the product of inputs and kernel, as the plain layer computes it."""
        return self.convolution_op(inputs, kernel)  # type: ignore[attr-defined]

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the outputs of the plain layer with effective weights, in int8 on their grid."""
        outputs = self.linear(inputs, self.effective("kernel"))
        own_bias = bias(self)
        if own_bias is not None:
            outputs = self._with_bias(outputs, own_bias.value, training)
        if self.argument:
            outputs = self.argument(outputs, training=training)
        grid = self.output_quantizer
        if not (self._is_relu and grid is not None and grid.cuts_negative):
            outputs = self.activation(outputs)  # type: ignore[attr-defined]
        if grid is None or (training and self.gives_chances):
            return outputs
        return grid(outputs, training=training)

    def _with_bias(self, outputs: tf.Tensor, own_bias: tf.Tensor, training: bool) -> tf.Tensor:
        """Return outputs, normalised where they are, plus the bias."""
        if self.normaliser:
            return self.normaliser(outputs, own_bias, training=training)
        return tf.nn.bias_add(outputs, own_bias)
