"""LSTM: two kernels (features, gates * units) and (units, gates * units), gates i, f, g, o."""

import keras
import tensorflow as tf

from tinyprune.compress import recurrence
from tinyprune.compress.fake_quant import fake_cluster_kernel, fake_quantize_kernel, in_steps
from tinyprune.compress.fused_lstm import FusedLSTM
from tinyprune.compress.gate_functions import gate_functions
from tinyprune.compress.kinds.base import State
from tinyprune.compress.kinds.recurrent import CompressedRecurrent, Recurrent
from tinyprune.tflite.operators import GATES


class LSTMLoop(CompressedRecurrent):
    """The loop of an LSTM, whatever its kernels look like."""

    def steps(
        self,
        projected: tf.Tensor,
        recurrent: tf.Tensor,
        h_range: tuple[tf.Tensor, tf.Tensor] | None,
        training: bool,
        dropout: tf.Tensor | None,
    ) -> tf.Tensor:
        """Return h of all steps."""
        functions = gate_functions(self)
        return recurrence.lstm(projected, recurrent, h_range, training, dropout, functions)


class CompressedLSTM(LSTMLoop, keras.layers.LSTM):
    """LSTM with one scale per gate matrix (4 + 4) and h on the int8 grid inside the loop."""

    plain = keras.layers.LSTM
    MATRICES = GATES

    def on_grid(self, kernel: tf.Tensor) -> tf.Tensor:
        """Return the kernel with one scale per gate."""
        gates = tf.reshape(kernel, (kernel.shape[0], GATES, self.units))
        return tf.reshape(fake_quantize_kernel(gates, [0, 2]), kernel.shape)

    def on_palette(self, kernel: tf.Tensor, palettes: tf.Tensor) -> tf.Tensor:
        """Return the kernel with few values in each gate."""
        gates = zip(tf.split(kernel, GATES, axis=1), tf.unstack(palettes), strict=True)
        clustered = [fake_cluster_kernel(gate, [0, 1], palette) for gate, palette in gates]
        return tf.concat(clustered, axis=1)

    def kernel_steps(self, name: str) -> list[tf.Tensor]:
        """Return the matrices of the gates."""
        gates = tf.split(self._masked_kernel(name), GATES, axis=1)
        return [in_steps(gate, [0, 1]) for gate in gates]


class LSTM(Recurrent):
    """LSTM."""

    plain = keras.layers.LSTM
    compressed = CompressedLSTM
    operator = "lstm"
    gates = GATES
    states = (State("hidden", 1), State("cell", 2))

    def scales(self, outputs: int) -> int:
        """Return one scale per gate."""
        del outputs
        return self.gates

    def exported(self, layer: keras.Layer) -> type[keras.Layer]:
        """Return the fused operator, for the plain layer."""
        assert gate_functions(layer).are_soft, "in canonical form it is a cell"
        return FusedLSTM if type(layer) is keras.layers.LSTM else type(layer)
