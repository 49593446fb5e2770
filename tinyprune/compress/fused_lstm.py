"""The LSTM as one fused operator: a composite function that the TFLite converter knows.

A Keras 3 LSTM crashes the int8 converter. A function that carries ``api_implements = lstm_...``
with the signature below is replaced by UNIDIRECTIONAL_SEQUENCE_LSTM instead: int8 inputs, outputs
and weights, a 16-bit cell, and both states in variable tensors that live from one call to the next.
"""

import uuid
from typing import Any

import keras
import tensorflow as tf

from tinyprune.tflite.operators import GATES


def _recurrence(
    inputs: tf.Tensor,
    h: tf.Tensor,
    c: tf.Tensor,
    kernel: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor,
) -> tuple[tf.Tensor, ...]:
    """Return (last, sequence, h, c, runtime), as the operator does.

    The converter reads weights and shapes from it.
    """
    outputs = []
    for t in range(inputs.shape[1]):
        gates = inputs[:, t] @ kernel + h @ recurrent_kernel + bias
        i, f, g, o = tf.split(gates, GATES, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        outputs.append(h)
    return h, tf.stack(outputs, 1), h, c, tf.constant(1.0)


class FusedLSTM(keras.layers.LSTM):
    """An LSTM layer for export only: the same weights, called through the composite function."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        attributes = {
            "api_implements": f"lstm_{uuid.uuid4()}",
            "api_preferred_device": "CPU",
            "time_major": False,
            "go_backwards": False,
        }
        self._composite = tf.function(
            _recurrence, autograph=False, experimental_attributes=attributes
        )

    def call(
        self,
        sequences: tf.Tensor,
        initial_state: None = None,
        mask: None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Return outputs (1, frames, units), or the last (1, units).

        ``sequences`` are (1, frames, features), of a fixed length.
        """
        zero = tf.zeros((1, self.units))
        kernel = tf.convert_to_tensor(self.cell.kernel.value)
        recurrent_kernel = tf.convert_to_tensor(self.cell.recurrent_kernel.value)
        bias = self.cell.bias.value if self.use_bias else tf.zeros(GATES * self.units)
        outputs = self._composite(
            sequences, zero, zero, kernel, recurrent_kernel, tf.convert_to_tensor(bias)
        )
        last, sequence = outputs[:2]
        return sequence if self.return_sequences else last
