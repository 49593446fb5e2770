"""The functions of a recurrent layer: sigmoid and tanh, or the clips that take their place."""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tinyprune.compress.activations import activation_name
from tinyprune.tflite.cells.functions import HARD_SIGMOID, HARD_TANH


@dataclass(frozen=True)
class GateFunctions:
    """The function of the gates, and the one of the candidate and of the cell state.

    Slopes are derivatives as functions of what was made, so that the argument need not be kept.

    Attributes:
        hard_gates: whether gates are ``clip(x / 6 + 0.5, 0, 1)`` in place of a sigmoid.
        hard_values: whether values are ``clip(x, -1, 1)`` in place of a tanh.
    """

    hard_gates: bool = False
    hard_values: bool = False

    @property
    def are_soft(self) -> bool:
        """True where both are those of the fused operator of TFLite."""
        return not (self.hard_gates or self.hard_values)

    def gate(self, x: tf.Tensor) -> tf.Tensor:
        """Return gates, in [0, 1]."""
        return tf.nn.relu6(x + 3.0) / 6.0 if self.hard_gates else tf.sigmoid(x)

    def gate_slope(self, gate: tf.Tensor) -> tf.Tensor:
        """Return the derivative of gates."""
        if self.hard_gates:
            return tf.cast((gate > 0) & (gate < 1), gate.dtype) / 6.0
        return gate * (1 - gate)

    def value(self, x: tf.Tensor) -> tf.Tensor:
        """Return values, in [-1, 1]."""
        return tf.clip_by_value(x, -1.0, 1.0) if self.hard_values else tf.tanh(x)

    def value_slope(self, value: tf.Tensor) -> tf.Tensor:
        """Return the derivative of values."""
        if self.hard_values:
            return tf.cast(tf.abs(value) < 1, value.dtype)
        return 1 - value**2


SOFT = GateFunctions()


def gate_functions(layer: Any) -> GateFunctions:
    """Return the functions of an LSTM or GRU layer."""
    return GateFunctions(
        hard_gates=activation_name(layer.recurrent_activation) == HARD_SIGMOID,
        hard_values=activation_name(layer.activation) == HARD_TANH,
    )
