"""GRU: two kernels (features, gates * units) and (units, gates * units), gates z, r, n."""

from typing import Any

import keras
import tensorflow as tf

from tinyprune.compress.fake_quant import fake_cluster_kernel, fake_quantize_kernel, in_steps
from tinyprune.compress.gru_recurrence import GRURecurrence
from tinyprune.compress.kinds.base import State
from tinyprune.compress.kinds.recurrent import H_OF_CELLS, CompressedRecurrent, Recurrent
from tinyprune.tflite.operators import RECURRENT


class CompressedGRU(CompressedRecurrent, keras.layers.GRU):
    """GRU with one scale per kernel; products read h on the int8 grid, the sum keeps it whole.

    With a dropout of the state, all gates share its factors, where Keras draws some for each.
    """

    plain = keras.layers.GRU
    fixed_h = H_OF_CELLS

    def on_grid(self, kernel: tf.Tensor) -> tf.Tensor:
        """Return the kernel with one scale: FULLY_CONNECTED has no more for 16-bit outputs."""
        return fake_quantize_kernel(kernel, [0, 1])

    def on_palette(self, kernel: tf.Tensor, palettes: tf.Tensor) -> tf.Tensor:
        """Return the kernel with few values, the same in all gates."""
        return fake_cluster_kernel(kernel, [0, 1], palettes[0])

    def kernel_steps(self, name: str) -> list[tf.Tensor]:
        """Return the one matrix that the kernel is."""
        return [in_steps(self._masked_kernel(name), [0, 1])]

    def input_bias(self) -> tf.Tensor:
        """Return the bias of the inputs; with ``reset_after`` it is the first row."""
        bias: tf.Tensor = self.cell.bias.value
        return bias[0] if self.reset_after else bias

    def steps(
        self,
        projected: tf.Tensor,
        recurrent: tf.Tensor,
        h_range: tuple[tf.Tensor, tf.Tensor] | None,
        training: bool,
        dropout: tf.Tensor | None,
    ) -> tf.Tensor:
        """Return h of all steps."""
        bias = self.cell.bias.value[1] if self.use_bias and self.reset_after else None
        loop = GRURecurrence(self.reset_after, h_range, dropout)
        return loop.run(projected, recurrent, bias, training)


class GRU(Recurrent):
    """GRU."""

    plain = keras.layers.GRU
    compressed = CompressedGRU
    operator = "gru"
    gates = RECURRENT["gru"]
    is_cell = True
    # The one that products read, and the one that is carried on.
    states = (State("hidden", 1), State("carried", 2))

    def is_called_plainly(self, layer: Any, inputs: int) -> bool:
        """Return whether a call of that many tensors is understood: one input."""
        del layer
        return inputs == 1

    def scales(self, outputs: int) -> int:
        """Return one scale."""
        del outputs
        return 1
