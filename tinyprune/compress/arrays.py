"""TensorFlow's functions for the resource models, so that training can follow their gradients."""

from typing import Any

import tensorflow as tf

from tinyprune.sparsity.resource_model import Arrays, smooth_largest


def tensors(tau: float) -> Arrays:
    """Return functions of tensors.

    ``ceil`` has the gradient of the identity, ``largest`` is smooth.

    Args:
        tau: of the smooth maximum ``tau * logsumexp(x / tau)``, in the unit of its values: bytes.
    """
    return Arrays(
        matvec=_matvec,
        maximum=tf.maximum,
        minimum=tf.minimum,
        ceil=_ceil,
        total=tf.reduce_sum,
        largest=smooth_largest(tf.reduce_logsumexp, tau),
    )


def _matvec(matrix: Any, vector: Any) -> tf.Tensor:
    return tf.linalg.matvec(tf.constant(matrix, vector.dtype), vector)


def _ceil(x: Any) -> tf.Tensor:
    """The next whole number, unless it is a rounding error away; straight through.

    Bengio et al. 2013, arXiv 1308.3432.
    """
    return x + tf.stop_gradient(tf.math.ceil(x - 1e-4) - x)
