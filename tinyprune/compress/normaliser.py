"""BatchNorm that stays while a convolution learns masks and int8, and is then folded exactly."""

from typing import Any

import keras
import tensorflow as tf

EPSILON = 1e-3  # as Keras has it: a channel that masks have silenced is not blown up
MOMENTUM = 0.95


class Normaliser(keras.layers.Layer):
    """``gain (y - mean) / sqrt(variance + epsilon) + center + bias`` per channel.

    At first that is ``y + bias``.

    The formula is that of Ioffe & Szegedy 2015. A network whose BatchNorm is folded learns slowly,
    above all while its weights are being masked: nothing brings a channel back to scale. Here the
    products of a folded kernel are normalised again, beginning with the gain and center that change
    nothing. A factor per output channel commutes with an int8 grid per output channel, so the
    kernel that is deployed, ``factor * fake_quant(mask * kernel)``, has exactly the integers that
    were trained.

    Attributes:
        measuring: whether values pass unchanged and set mean and variance; read when a graph is
            traced.
        gain: trained, (channels,).
        center: the mean at first, (channels,).
        mean, variance: moving averages, (channels,).
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name)
        self.measuring = False

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make four numbers per channel."""
        channels = input_shape[-1]
        self.gain = self.add_weight(name="gain", shape=(channels,), initializer="ones")
        self.center = self._fixed_number("center", channels, "zeros")
        self.mean = self._fixed_number("mean", channels, "zeros")
        self.variance = self._fixed_number("variance", channels, "ones")

    def _fixed_number(self, name: str, channels: int | None, initializer: str) -> Any:
        """A number per channel that no gradient changes."""
        return self.add_weight(
            name=name, shape=(channels,), initializer=initializer, trainable=False
        )

    def begin(self) -> None:
        """Set gain and center so that the layer is the identity, after measuring."""
        self.gain.assign(tf.sqrt(self.variance.value + EPSILON))
        self.center.assign(self.mean.value)

    def factor(self) -> tf.Tensor:
        """Return the factor of each channel in inference, (channels,)."""
        return self.gain.value * tf.math.rsqrt(self.variance.value + EPSILON)

    def shift(self) -> tf.Tensor:
        """Return the number that is added to each channel in inference, (channels,)."""
        return self.center.value - self.mean.value * self.factor()

    def call(self, values: tf.Tensor, bias: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return values (..., channels), normalised, plus a bias (channels,).

        In training that is with the statistics of the batch, else with the averages. The bias is
        part of it because adding it apart would go through all values once more.
        """
        if self.measuring:
            mean, variance = tf.nn.moments(values, list(range(len(values.shape) - 1)))
            self.mean.assign(mean)
            self.variance.assign(variance)
            return tf.nn.bias_add(values, bias)
        if not training:
            return values * self.factor() + (self.shift() + bias)
        rows = values
        if len(values.shape) != 4:
            rows = tf.reshape(values, (-1, 1, 1, values.shape[-1]))
        normal, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            rows, self.gain.value, self.center.value + bias, epsilon=EPSILON, is_training=True
        )
        self._follow(self.mean, mean)
        self._follow(self.variance, variance)
        return tf.reshape(normal, tf.shape(values))

    def _follow(self, average: keras.Variable, of_batch: tf.Tensor) -> None:
        """Move a moving average towards the statistic of a batch."""
        average.assign(MOMENTUM * average.value + (1 - MOMENTUM) * of_batch)
