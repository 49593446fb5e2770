"""The end of a network that classifies: are its outputs probabilities, or scores?"""

from enum import Enum
from typing import Any

import keras

from tinyprune.compress import graph
from tinyprune.compress.activations import activation_name
from tinyprune.compress.fake_quant import FakeQuantize
from tinyprune.compress.kinds.lookup import activation, layer_kind
from tinyprune.models.ends import output_names


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
    """Return the last function of a model with one output, plain or with compressed layers."""
    return ending_of(model.outputs[0])


def endings(model: keras.Model) -> dict[str, Ending]:
    """Return the last function of each output of a model, by its name."""
    return dict(zip(output_names(model), map(ending_of, model.outputs), strict=True))


def ending_of(output: Any) -> Ending:
    """Return the function that an output of a model comes out of.

    What only puts its values on a grid or in another shape is passed over.
    """
    history = output._keras_history
    while _passes_on(history.operation):
        node = history.operation._inbound_nodes[history.node_index]
        history = node.input_tensors[0]._keras_history
    last = history.operation
    if graph.is_model(last):
        return ending_of(graph.functional(last).outputs[history.tensor_index])
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
