"""Keras layers whose kernels are ``effective = fake_quant(mask * kernel)``: mask and int8 grid are one composition.

Each is a mixin plus the plain Keras layer, holds the same kernel and bias, and gives the plain layer back by
:func:`tinyprune.compress.prepare.strip`.
"""

from typing import Any

import keras
import tensorflow as tf

from tinyprune.compress import recurrence
from tinyprune.compress.fake_quant import FakeQuantize, fake_quantize_kernel

# Ranges that TFLite prescribes: scale 1/256 and zero point -128, and 1/128 and 0.
PRESCRIBED = {"sigmoid": (0.0, 255 / 256), "softmax": (0.0, 255 / 256), "tanh": (-1.0, 127 / 128)}
FUSED_ACTIVATIONS = ("linear", "relu")


class Compressed:
    """Masks and int8 kernels for a Keras layer; the layer says where its kernels are and which weights share a scale.

    Attributes:
        masked: whether kernels have masks.
        quantized: whether kernels and activations are on their int8 grids.
        masks: kernel name -> mask variable of the kernel's shape.
    """

    def __init__(self, masked: bool = True, quantized: bool = True, **config: Any) -> None:
        super().__init__(**config)
        self.masked, self.quantized = masked, quantized
        self.masks: dict[str, keras.Variable] = {}

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build the plain layer, then a mask of ones for each kernel."""
        super().build(input_shape)  # type: ignore[misc]
        if self.masked:
            for name, kernel in self.kernels().items():
                mask = self.add_weight(name=f"{name}_mask", shape=kernel.shape, initializer="ones", trainable=False)  # type: ignore[attr-defined]
                self.masks[name] = mask

    def kernels(self) -> dict[str, keras.Variable]:
        """Kernel name -> variable, in the order of the layer's weights."""
        raise NotImplementedError

    def on_grid(self, kernel: tf.Tensor) -> tf.Tensor:
        """The kernel on its int8 grid, with the scales that TFLite will use."""
        raise NotImplementedError

    def effective(self, name: str) -> tf.Tensor:
        """``fake_quant(mask * kernel)``, the weights that act; gradients reach kept weights only."""
        kernel = self.kernels()[name].value
        if self.masked:
            kernel = kernel * self.masks[name].value
        return self.on_grid(kernel) if self.quantized else kernel


class CompressedDense(Compressed, keras.layers.Dense):
    """Dense with one scale per output channel. An activation that TFLite does not fuse gets a grid for its argument."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        activation = keras.activations.serialize(self.activation)
        split = self.quantized and activation not in FUSED_ACTIVATIONS
        self.argument = FakeQuantize(name="argument") if split else None
        self.output_quantizer = (
            FakeQuantize(fixed=PRESCRIBED.get(activation), name="output") if self.quantized else None
        )

    def kernels(self) -> dict[str, keras.Variable]:
        """The kernel, (inputs, outputs)."""
        return {"kernel": self._kernel}

    def on_grid(self, kernel: tf.Tensor) -> tf.Tensor:
        """One scale per output channel."""
        return fake_quantize_kernel(kernel, [0])

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Outputs (..., units) of inputs (..., features)."""
        outputs = tf.tensordot(inputs, self.effective("kernel"), 1)
        if self.use_bias:
            outputs += self.bias.value
        if self.argument:
            outputs = self.argument(outputs, training=training)
        outputs = self.activation(outputs)
        return self.output_quantizer(outputs, training=training) if self.output_quantizer else outputs


class CompressedLSTM(Compressed, keras.layers.LSTM):
    """LSTM with one scale per gate matrix (4 + 4) and h on the int8 grid inside the loop; the cell state is left alone.

    TFLite keeps the cell state in 16 bits, which is as good as float32 here.
    """

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self.output_quantizer = FakeQuantize(name="h") if self.quantized else None

    def kernels(self) -> dict[str, keras.Variable]:
        """Kernel (features, 4 * units) and recurrent kernel (units, 4 * units)."""
        return {"kernel": self.cell.kernel, "recurrent_kernel": self.cell.recurrent_kernel}

    def on_grid(self, kernel: tf.Tensor) -> tf.Tensor:
        """One scale per gate."""
        gates = tf.reshape(kernel, (kernel.shape[0], 4, self.units))
        return tf.reshape(fake_quantize_kernel(gates, [0, 2]), kernel.shape)

    def call(
        self, sequences: tf.Tensor, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> tf.Tensor:
        """Outputs (batch, frames, units), or the last one (batch, units), of sequences (batch, frames, features).

        It starts from zero and takes no mask; :func:`tinyprune.compress.prepare.prepare` refuses both.
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
