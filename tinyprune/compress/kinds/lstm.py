"""LSTM: two kernels (features, gates * units) and (units, gates * units), gates i, f, g, o."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tinyprune.array_types import IntArray
from tinyprune.compress import graph, recurrence
from tinyprune.compress.fake_quant import FakeQuantize, fake_quantize_kernel
from tinyprune.compress.fused_lstm import FusedLSTM
from tinyprune.compress.kinds.base import KernelChannels, KernelKind, LayerKind, State
from tinyprune.compress.kinds.frames import Shape
from tinyprune.compress.layers import Compressed
from tinyprune.errors import UsageError
from tinyprune.tflite.operators import GATES


class CompressedLSTM(Compressed, keras.layers.LSTM):
    """LSTM with one scale per gate matrix (4 + 4) and h on the int8 grid inside the loop.

    The cell state is left alone: TFLite keeps it in 16 bits, which is as good as float32 here.
    """

    plain = keras.layers.LSTM

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self.output_quantizer = FakeQuantize(name="h") if self.quantized else None

    def on_grid(self, kernel: tf.Tensor) -> tf.Tensor:
        """Return the kernel with one scale per gate."""
        gates = tf.reshape(kernel, (kernel.shape[0], GATES, self.units))
        return tf.reshape(fake_quantize_kernel(gates, [0, 2]), kernel.shape)

    def call(
        self,
        sequences: tf.Tensor,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Return outputs (batch, frames, units), or the last one (batch, units).

        ``sequences`` are (batch, frames, features). It starts from zero and takes no mask;
        :func:`tinyprune.compress.prepare.prepare` refuses both.
        """
        inputs = tf.transpose(sequences, (1, 0, 2))
        if training and self.dropout:
            inputs *= self._kept(inputs[0], self.dropout)
        projected = tf.tensordot(inputs, self.effective("kernel"), 1)
        if self.use_bias:
            projected += self.cell.bias.value
        outputs = self._recur(projected, training)
        # The loop does not know how many frames it has run.
        outputs.set_shape((sequences.shape[1], sequences.shape[0], self.units))
        return tf.transpose(outputs, (1, 0, 2)) if self.return_sequences else outputs[-1]

    def _recur(self, projected: tf.Tensor, training: bool) -> tf.Tensor:
        quantizer = self.output_quantizer
        recurrent = self.effective("recurrent_kernel")
        if quantizer is None or quantizer.passing:
            low = high = None
        else:
            low = quantizer.low.value
            high = quantizer.high.value
        dropout = None
        if training and self.recurrent_dropout:
            dropout = self._kept(projected[0, :, : self.units], self.recurrent_dropout)
        outputs = recurrence.lstm(projected, recurrent, low, high, training, dropout)
        if quantizer is not None and (training or quantizer.passing):
            quantizer.record(outputs)
        return outputs

    def _kept(self, values: tf.Tensor, rate: float) -> tf.Tensor:
        """Factors of a dropout, 0 or 1 / (1 - rate), one for each value of a step."""
        return keras.random.dropout(tf.ones_like(values), rate, seed=self.cell.seed_generator)


class LSTM(KernelKind):
    """LSTM."""

    plain = keras.layers.LSTM
    compressed = CompressedLSTM
    operator = "lstm"
    gates = GATES
    states = (State("hidden", 1), State("cell", 2))
    takes_in_followers = False
    needs_one_frame = True

    def kernel_channels(self, read: IntArray, made: IntArray) -> dict[str, KernelChannels]:
        """Return the channels of both kernels: the recurrent one reads the units themselves."""
        outputs = np.tile(made, self.gates)
        return {
            "kernel": KernelChannels(read, outputs),
            "recurrent_kernel": KernelChannels(made, outputs),
        }

    def scales(self, outputs: int) -> int:
        """Return one scale per gate."""
        del outputs
        return self.gates

    def function_after(self, layer: Any) -> str:
        """Return "linear": its functions are inside its operator."""
        del layer
        return "linear"

    def frame_problem(self, layer: Any, shape: Shape, output_shape: Shape) -> str:
        """Return what goes against time, or leaves frames out."""
        del shape, output_shape
        if layer.go_backwards or layer.return_state:
            return "runs backwards or returns its state"
        return "" if layer.return_sequences else "keeps the last frame only"

    def one_frame(self, layer: Any, output_shape: Shape) -> Any:
        """Return a copy that keeps its state from call to call."""
        del output_shape
        return graph.copy(layer, stateful=True)

    def check(self, layer: keras.Layer) -> None:
        """Raise UsageError for settings other than those of the compressed layer."""
        activation = keras.activations.serialize(layer.activation)
        recurrent_activation = keras.activations.serialize(layer.recurrent_activation)
        unusual = {
            "stateful": layer.stateful,
            "go_backwards": layer.go_backwards,
            "return_state": layer.return_state,
            "activation": activation != "tanh",
            "recurrent_activation": recurrent_activation != "sigmoid",
        }
        names = [name for name, is_so in unusual.items() if is_so]
        if names:
            raise UsageError(
                f"LSTM layer '{layer.name}' sets {', '.join(names)}: "
                "only the default of it can be compressed"
            )

    def check_call(self, layer: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        """Raise UsageError for a state or a mask."""
        extra = [*args[1:], kwargs.get("initial_state"), kwargs.get("mask")]
        if any(value is not None for value in extra):
            raise UsageError(
                f"LSTM layer '{layer.name}' is given a state or a mask: neither can be compressed"
            )

    def exported(self, layer: keras.Layer) -> type[keras.Layer]:
        """Return the fused operator, for the plain layer."""
        return FusedLSTM if type(layer) is keras.layers.LSTM else type(layer)


class Bidirectional(LayerKind):
    """Bidirectional of LSTM layers, before it is split (compress/bidirectional.py)."""

    def frame_problem(self, layer: Any, shape: Shape, output_shape: Shape) -> str:
        """Return that it looks at frames to come."""
        del layer, shape, output_shape
        return "runs backwards too"

    def check(self, layer: keras.Layer) -> None:
        """Raise UsageError unless it merges the outputs of two LSTMs that can be compressed."""
        inner = {type(direction) for direction in (layer.forward_layer, layer.backward_layer)}
        if inner != {keras.layers.LSTM}:
            names = " and ".join(sorted(kind.__name__ for kind in inner))
            raise UsageError(
                f"Bidirectional layer '{layer.name}' wraps {names}: expected LSTM; "
                "put an LSTM in its place"
            )
        if layer.merge_mode is None:
            raise UsageError(
                f"Bidirectional layer '{layer.name}' has no merge_mode: "
                "expected concat, sum, mul or ave"
            )
        LSTM().check(layer.forward_layer)
