"""A task of one's own: the direction that a vector of sensors points to, as an angle.

An angle is learned as a point on the unit circle, so that 359 and 1 degrees are near each other. Run it in this folder:

    tinyprune train --task own_task:direction --model own_task:network --run runs/direction
    tinyprune prune --run runs/direction --sparsity 0.5
    tinyprune compile --run runs/direction
"""

import keras
import numpy as np
import tensorflow as tf

SEEDS = {"train": 0, "dev": 1, "test": 2}
COUNTS = {"train": 2000, "dev": 300, "test": 300}


class Direction:
    """The data, loss and metric of the task."""

    metric = "degrees_error"  # its name ends in _error: lower is better
    output_shape = (2,)  # cosine and sine
    tolerance = 0.5  # degrees that the int8 graph may differ by

    def data(self, split):
        """Return readings of eight sensors around a circle (n, 8), and angles in degrees (n,)."""
        rng = np.random.default_rng(SEEDS[split])
        angles = rng.uniform(0, 360, COUNTS[split])
        sensors = np.arange(8) * 45
        readings = np.maximum(0, np.cos(np.deg2rad(angles[:, None] - sensors)))
        return (readings + 0.02 * rng.normal(size=readings.shape)).astype(np.float32), angles

    def loss(self, targets, outputs):
        """Return the squared distance of each point from that of its angle."""
        radians = tf.cast(targets, tf.float32) * np.float32(np.pi / 180)
        points = tf.stack([tf.cos(radians), tf.sin(radians)], axis=1)
        return tf.reduce_sum(tf.square(outputs - points), axis=1)

    def score(self, targets, outputs):
        """Return the error of each angle in degrees, at most 180."""
        angles = np.rad2deg(np.arctan2(outputs[:, 1], outputs[:, 0]))
        return np.abs((angles - targets + 180) % 360 - 180)


def direction():
    """Return the task: --task own_task:direction."""
    return Direction()


def network():
    """Return a network for it: --model own_task:network."""
    return keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(2),
        ]
    )
