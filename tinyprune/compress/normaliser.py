"""BatchNorm that stays while a convolution learns masks and int8, and is folded exactly when it is done."""

from typing import Any

import keras
import tensorflow as tf

EPSILON = 1e-3  # as Keras has it: a channel that masks have silenced is not blown up
MOMENTUM = 0.95


class Normaliser(keras.layers.Layer):
    """``gain (y - mean) / sqrt(variance + epsilon) + center`` per channel (Ioffe & Szegedy 2015), first the identity.

    A network whose BatchNorm is folded learns slowly, above all while its weights are being masked:
        nothing brings a
    channel back to scale. Here the products of a folded kernel are normalised again, beginning with
    the gain and center that change nothing. A factor per output channel commutes with an int8 grid
    per output channel, so the kernel that is deployed, ``factor * fake_quant(mask * kernel)``, has
    exactly the integers that were trained.

    Attributes:
        measuring: whether values pass unchanged and set mean and variance; read when a graph is
            traced.
        gain: trained. center: where the mean was at first. mean, variance: moving averages. All
            (channels,).
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name)
        self.measuring = False

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Four numbers per channel."""
        shape = (input_shape[-1],)

        def number(name: str, initializer: str) -> Any:
            return self.add_weight(name=name, shape=shape, initializer=initializer, trainable=False)

        self.gain = self.add_weight(name="gain", shape=shape, initializer="ones")
        self.center, self.mean = number("center", "zeros"), number("mean", "zeros")
        self.variance = number("variance", "ones")

    def begin(self) -> None:
        """After measuring: gain and center with which the layer is the identity."""
        self.gain.assign(tf.sqrt(self.variance.value + EPSILON))
        self.center.assign(self.mean.value)

    def factor(self) -> tf.Tensor:
        """What a channel is multiplied by in inference, (channels,)."""
        return self.gain.value * tf.math.rsqrt(self.variance.value + EPSILON)

    def shift(self) -> tf.Tensor:
        """What is added to a channel in inference, (channels,)."""
        return self.center.value - self.mean.value * self.factor()

    def call(self, values: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Values (..., channels), normalised with the statistics of the batch in training, else with the averages."""
        if self.measuring:
            mean, variance = tf.nn.moments(values, list(range(len(values.shape) - 1)))
            self.mean.assign(mean)
            self.variance.assign(variance)
            return values
        if not training:
            return values * self.factor() + self.shift()
        rows = (
            tf.reshape(values, (-1, 1, 1, values.shape[-1])) if len(values.shape) != 4 else values
        )
        normal, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            rows, self.gain.value, self.center.value, epsilon=EPSILON, is_training=True
        )
        for average, found in ((self.mean, mean), (self.variance, variance)):
            average.assign(MOMENTUM * average.value + (1 - MOMENTUM) * found)
        return tf.reshape(normal, tf.shape(values))
