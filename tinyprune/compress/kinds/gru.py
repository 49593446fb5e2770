"""GRU: two kernels (features, gates * units) and (units, gates * units), gates z, r, n."""

from typing import Any

import keras
import tensorflow as tf

from tinyprune.compress.gate_functions import gate_functions
from tinyprune.compress.gru_recurrence import GRURecurrence
from tinyprune.compress.kinds.base import State
from tinyprune.compress.kinds.recurrent import Cell, CompressedCell
from tinyprune.tflite.operators import RECURRENT


class CompressedGRU(CompressedCell, keras.layers.GRU):
    """GRU with one scale per kernel; products read h on the int8 grid, the sum keeps it whole.

    With a dropout of the state, all gates share its factors, where Keras draws some for each.
    """

    plain = keras.layers.GRU

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
        loop = GRURecurrence(self.reset_after, h_range, dropout, gate_functions(self))
        return loop.run(projected, recurrent, bias, training)


class GRU(Cell):
    """GRU."""

    plain = keras.layers.GRU
    compressed = CompressedGRU
    operator = "gru"
    gates = RECURRENT["gru"]
    # The one that products read, and the one that is carried on.
    states = (State("hidden", 1), State("carried", 2))

    def is_called_plainly(self, layer: Any, inputs: int) -> bool:
        """Return whether a call of that many tensors is understood: one input."""
        del layer
        return inputs == 1
