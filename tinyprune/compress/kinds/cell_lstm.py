"""An LSTM that is exported as a cell of explicit operators in place of the fused one."""

import keras
import tensorflow as tf

from tinyprune.compress import recurrence
from tinyprune.compress.fake_quant import fake_quantize_kernel
from tinyprune.compress.kinds.base import State
from tinyprune.compress.kinds.recurrent import H_OF_CELLS, CompressedRecurrent, Recurrent
from tinyprune.tflite.operators import GATES


@keras.saving.register_keras_serializable("tinyprune")
class CellLSTM(keras.layers.LSTM):
    """The LSTM of Keras under another name, which says how it is learned in int8 and exported."""


class CompressedCellLSTM(CompressedRecurrent, CellLSTM):
    """LSTM with one scale per kernel and h in steps of 1/128, as its operators have them."""

    plain = CellLSTM
    fixed_h = H_OF_CELLS

    def on_grid(self, kernel: tf.Tensor) -> tf.Tensor:
        """Return the kernel with one scale."""
        return fake_quantize_kernel(kernel, [0, 1])

    def steps(
        self,
        projected: tf.Tensor,
        recurrent: tf.Tensor,
        h_range: tuple[tf.Tensor, tf.Tensor] | None,
        training: bool,
        dropout: tf.Tensor | None,
    ) -> tf.Tensor:
        """Return h of all steps."""
        low, high = h_range or (None, None)
        return recurrence.lstm(projected, recurrent, low, high, training, dropout)


class CellOfLSTM(Recurrent):
    """LSTM as a cell."""

    plain = CellLSTM
    compressed = CompressedCellLSTM
    operator = "lstm"
    gates = GATES
    states = (State("hidden", 1), State("cell", 2))
    is_cell = True

    def scales(self, outputs: int) -> int:
        """Return one scale."""
        del outputs
        return 1
