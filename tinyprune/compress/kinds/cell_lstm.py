"""An LSTM that is exported as a cell of explicit operators in place of the fused one."""

import keras

from tinyprune.compress.kinds.base import State
from tinyprune.compress.kinds.lstm import LSTMLoop
from tinyprune.compress.kinds.recurrent import Cell, CompressedCell
from tinyprune.tflite.operators import GATES


@keras.saving.register_keras_serializable("tinyprune")
class CellLSTM(keras.layers.LSTM):
    """The LSTM of Keras under another name, which says how it is learned in int8 and exported."""


class CompressedCellLSTM(CompressedCell, LSTMLoop, CellLSTM):
    """The loop of an LSTM with kernels and h as its operators have them."""

    plain = CellLSTM


class CellOfLSTM(Cell):
    """LSTM as a cell."""

    plain = CellLSTM
    compressed = CompressedCellLSTM
    operator = "lstm"
    gates = GATES
    states = (State("hidden", 1), State("cell", 2))
