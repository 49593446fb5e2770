"""Arrays on their way into a Keras network and out of it.

A network with one input takes an array (n, ...), one with several an array with names
(:mod:`tinyprune.named_arrays`); the same goes for outputs.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tinyprune import named_arrays
from tinyprune.compress import graph
from tinyprune.errors import UsageError
from tinyprune.models.ends import input_names, output_names


def given(model: keras.Model, values: Any) -> Any:
    """Return inputs (n, ...) as a model is called with them: a tensor, or a list or dict of them.

    Raises UsageError for other inputs than the model has.
    """
    if not isinstance(values, np.ndarray) or not named_arrays.has_names(values):
        return keras.tree.map_structure(tf.convert_to_tensor, values)
    names = input_names(model)
    known = values.dtype.names or ()
    if sorted(names) != sorted(known):
        raise UsageError(
            f"model '{model.name}' has inputs {', '.join(names)}: got {', '.join(known)}"
        )
    tensors = [tf.convert_to_tensor(values[name]) for name in names]
    return keras.tree.pack_sequence_as(graph.functional(model).input, tensors)


def made(model: keras.Model, outputs: Any) -> np.ndarray:
    """Return what a call of a model gave, as an array (n, ...) or one with names."""
    arrays = [np.asarray(tensor) for tensor in keras.tree.flatten(outputs)]
    if len(arrays) == 1:
        return arrays[0]
    return named_arrays.joined(dict(zip(output_names(model), arrays, strict=True)))
