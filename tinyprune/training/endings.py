"""The end of a network that classifies: are its outputs probabilities, or scores?"""

from enum import Enum
from typing import Any

import keras

from tinyprune.compress import graph
from tinyprune.compress.activations import activation_name
from tinyprune.compress.fake_quant import FakeQuantize
from tinyprune.compress.kinds.lookup import activation, layer_kind


class Ending(Enum):
    """The last function of a network.

    SOFTMAX: probabilities of classes that exclude each other. SIGMOID: a probability per unit.
    SCORES: anything else, taken for logarithms of probabilities up to a constant.
    """

    SOFTMAX = "softmax"
    SIGMOID = "sigmoid"
    SCORES = "scores"


_BY_FUNCTION = {"softmax": Ending.SOFTMAX, "sigmoid": Ending.SIGMOID}


def ending(model: keras.Model) -> Ending:
    """Return the last function of a model, plain or with compressed layers.

    What only puts its values on a grid or in another shape is passed over.
    """
    history = model.outputs[0]._keras_history
    while _passes_on(history.operation):
        node = history.operation._inbound_nodes[history.node_index]
        history = node.input_tensors[0]._keras_history
    last = history.operation
    if graph.is_model(last):
        return ending(last)
    return _BY_FUNCTION.get(_function(last), Ending.SCORES)


def _passes_on(operation: Any) -> bool:
    """Return whether an operation leaves the numbers as they are, up to their int8 grid."""
    is_grid = isinstance(operation, FakeQuantize)
    return is_grid or layer_kind(operation).is_view or activation(operation) == "linear"


def _function(operation: Any) -> str:
    """Return the name of the function that an operation is, or that is fused into it."""
    if type(operation).__name__ == "Softmax":  # a layer or an operation, over any axis
        return "softmax"
    fused = getattr(operation, "activation", keras.activations.linear)
    return activation(operation) or activation_name(fused)
