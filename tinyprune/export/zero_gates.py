"""Gates without inputs: LSTM layers in which all input weights of a gate are zero.

The converter loses their biases; :mod:`tinyprune.tflite.gate_biases` writes them anew.
"""

import keras
import numpy as np

from tinyprune.export.matching import match
from tinyprune.tflite.flatbuffer import ParsedFile, parse
from tinyprune.tflite.gate_biases import GateBias, with_gate_biases
from tinyprune.tflite.operators import GATES


def with_biases(file: ParsedFile, model: keras.Model) -> ParsedFile:
    """Return a flatbuffer in which every gate has the bias of the plain model it was made from."""
    layers = [layer for layer in model.layers if _gates_without_inputs(layer)]
    if not layers:
        return file

    numbers = {id(operator): number for number, operator in enumerate(file.graph.operators)}
    biases = []
    for matched in match(file.graph, model):
        for gate in _gates_without_inputs(matched.layer):
            bias = np.split(matched.layer.cell.bias.numpy(), GATES)[gate]
            biases.append(GateBias(numbers[id(matched.operator)], gate, bias))
    content = with_gate_biases(file.content, biases)
    return ParsedFile(file.path, content, parse(file.path, content))


def _gates_without_inputs(layer: keras.Layer) -> list[int]:
    """Return the gates with a bias whose input weights are all zero; of other layers none."""
    if not isinstance(layer, keras.layers.LSTM) or not layer.use_bias:
        return []
    kernel = layer.cell.kernel.numpy().reshape(-1, GATES, layer.units)
    return [gate for gate in range(GATES) if not kernel[:, gate].any()]
