"""An LSTM that is exported as a cell of explicit operators in place of the fused one."""

from typing import Any

import keras
import tensorflow as tf

from tinyprune.compress.fake_quant import FakeQuantize
from tinyprune.compress.kinds.base import State
from tinyprune.compress.kinds.lstm import LSTMLoop
from tinyprune.compress.kinds.recurrent import H_OF_CELLS, Cell, CompressedCell
from tinyprune.tflite.operators import GATES


@keras.saving.register_keras_serializable("tinyprune")
class CellLSTM(keras.layers.LSTM):
    """The LSTM of Keras under another name, which says how it is learned in int8 and exported.

    Args:
        units, settings: as of Keras.
        input_limit: the largest magnitude of inputs, where one product reads inputs and state; None
            where each has a product of its own.
    """

    def __init__(self, units: int, input_limit: float | None = None, **settings: Any) -> None:
        super().__init__(units, **settings)
        self.input_limit = input_limit

    def get_config(self) -> dict[str, Any]:
        """Return the configuration of Keras, and the limit."""
        return {**super().get_config(), "input_limit": self.input_limit}


class CompressedCellLSTM(CompressedCell, LSTMLoop, CellLSTM):
    """The loop of an LSTM with kernels and h as its operators have them.

    Where one product reads inputs and state, both kernels are one matrix with one scale, and inputs
    that are divided by their limit have the grid of h.
    """

    plain = CellLSTM

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self.input_quantizer = None
        if self.quantized and self.input_limit is not None:
            low, high = H_OF_CELLS
            limits = (low * self.input_limit, high * self.input_limit)
            self.input_quantizer = FakeQuantize(fixed=limits, name="read")

    def read(self, sequences: tf.Tensor, training: bool) -> tf.Tensor:
        """Return inputs on the grid of a product that has one for all it reads."""
        if self.input_quantizer is None:
            return sequences
        return self.input_quantizer(sequences, training=training)

    def effective(self, name: str) -> tf.Tensor:
        """Return the weights that act; of a merged matrix, the rows of one kernel."""
        if self.input_quantizer is None:
            return super().effective(name)
        of_inputs = self._masked_kernel("kernel") * self.input_limit
        merged = tf.concat([of_inputs, self._masked_kernel("recurrent_kernel")], axis=0)
        on_grid = self.on_grid(merged)
        of_inputs, of_state = tf.split(on_grid, [of_inputs.shape[0], -1])
        return {"kernel": of_inputs / self.input_limit, "recurrent_kernel": of_state}[name]


class CellOfLSTM(Cell):
    """LSTM as a cell."""

    plain = CellLSTM
    compressed = CompressedCellLSTM
    operator = "lstm"
    gates = GATES
    states = (State("hidden", 1), State("cell", 2))
