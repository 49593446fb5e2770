"""Losses of examples, each (targets, outputs) of n examples -> loss of each, (n,)."""

from collections.abc import Callable

import tensorflow as tf

#: (targets, outputs) -> loss of each example, (n,).
ExampleLoss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

SMALLEST = 1e-7  # probability, below which its logarithm is cut off
FOCUS = 2.0  # gamma of the paper
KNEE = 1.0  # where the Huber loss becomes linear, in deviations of the targets


def cross_entropy(labels: tf.Tensor, log_chances: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of classes, ``-log p`` of the class of an example.

    Args:
        labels: classes (n,), or answers (n, questions).
        log_chances: logarithms of probabilities (n, classes), or (n, questions, answers).
    """
    return -tf.gather(log_chances, labels, batch_dims=len(labels.shape))


def focal(labels: tf.Tensor, log_chances: tf.Tensor) -> tf.Tensor:
    """Focal loss of classes, ``-(1 - p)^2 log p``: what is easy counts little.

    Lin et al. 2017, "Focal Loss for Dense Object Detection", arXiv 1708.02002, with gamma 2.

    Args:
        labels, log_chances: as of :func:`cross_entropy`.
    """
    log_chance = tf.gather(log_chances, labels, batch_dims=len(labels.shape))
    return -((1 - tf.exp(log_chance)) ** FOCUS) * log_chance


def binary_cross_entropy(targets: tf.Tensor, chances: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of labels, ``-mean(t log p + (1 - t) log(1 - p))``.

    Args:
        targets, chances: probabilities (n, labels); of the data, targets are 0 and 1.
    """
    return _mean(_entropies(targets, chances))


def binary_focal(targets: tf.Tensor, chances: tf.Tensor) -> tf.Tensor:
    """Focal loss of labels: their cross-entropy times ``|t - p|^2``, so that rare ones count.

    As :func:`focal`; with targets between 0 and 1 it is that of Li et al. 2020, "Generalized Focal
    Loss", arXiv 2006.04388.
    """
    return _mean(tf.abs(targets - chances) ** FOCUS * _entropies(targets, chances))


def mse(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Mean squared error, ``mean((y - t)^2)``."""
    return _mean(tf.square(outputs - targets))


def mae(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Mean absolute error, ``mean(|y - t|)``: outliers count less than in the squared error."""
    return _mean(tf.abs(outputs - targets))


def huber(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Huber loss: half the squared error up to one deviation of the targets, linear beyond it.

    Huber 1964, "Robust Estimation of a Location Parameter".
    """
    distance = tf.abs(outputs - targets)
    near = tf.minimum(distance, KNEE)
    return _mean(near * (distance - near / 2))


def _entropies(targets: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    """Return the cross-entropy of each label, each taken as a yes or no of its own."""
    yes = tf.math.log(tf.maximum(outputs, SMALLEST))
    no = tf.math.log(tf.maximum(1 - outputs, SMALLEST))
    return -(targets * yes + (1 - targets) * no)


def _mean(values: tf.Tensor) -> tf.Tensor:
    """Return the mean of each example, (n,), of values (n, ...)."""
    axes = list(range(1, len(values.shape)))
    return tf.reduce_mean(values, axis=axes)
