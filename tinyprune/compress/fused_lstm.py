"""The LSTM as one fused operator: a composite function that the TFLite converter knows by its attributes.

A Keras 3 LSTM crashes the int8 converter. A function that carries ``api_implements = lstm_...``
with the signature
below is replaced by UNIDIRECTIONAL_SEQUENCE_LSTM instead: int8 inputs, outputs and weights, a
    16-bit cell, and both
states in variable tensors that live from one call to the next.
"""

import uuid
from typing import Any

import keras
import tensorflow as tf


def _recurrence(
    inputs: tf.Tensor,
    h: tf.Tensor,
    c: tf.Tensor,
    kernel: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor,
) -> tuple[tf.Tensor, ...]:
    """What the operator computes, (last, sequence, h, c, runtime); the converter reads weights and shapes from it."""
    outputs = []
    for t in range(inputs.shape[1]):
        i, f, g, o = tf.split(inputs[:, t] @ kernel + h @ recurrent_kernel + bias, 4, axis=-1)
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
        """Outputs (1, frames, units), or the last (1, units), of sequences (1, frames, features) of a fixed length."""
        zero = tf.zeros((1, self.units))
        bias = self.cell.bias.value if self.use_bias else tf.zeros(4 * self.units)
        weights = [
            tf.convert_to_tensor(v)
            for v in (self.cell.kernel.value, self.cell.recurrent_kernel.value, bias)
        ]
        last, sequence, *_ = self._composite(sequences, zero, zero, *weights)
        return sequence if self.return_sequences else last


def with_fused_lstm(model: keras.Model) -> keras.Model:
    """A copy of a plain model whose LSTM layers are fused operators, same weights."""

    def swap(layer: keras.Layer) -> keras.Layer:
        kind = FusedLSTM if type(layer) is keras.layers.LSTM else type(layer)
        return kind.from_config(layer.get_config())

    fused = keras.models.clone_model(model, clone_function=swap)
    fused.set_weights(model.get_weights())
    return fused
