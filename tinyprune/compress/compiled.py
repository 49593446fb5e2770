"""Functions on tensors, compiled by TensorFlow."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that TensorFlow traces once for inputs of the same rank and type.

    AutoGraph is off, as in ``model.fit``: it would rewrite the source of everything that is called,
    which takes a part of the time of tracing. Loops over tensors are TensorFlow's own.
    """
    made: Callable[..., Any] = tf.function(function, autograph=False, reduce_retracing=True)
    return made
