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
    if not any(map(_gates_without_inputs, model.layers)):
        return file

    biases = []
    for matched in match(file.graph, model):
        number = file.graph.operators.index(matched.operators[0])
        for gate in _gates_without_inputs(matched.layer):
            gate_biases = np.split(matched.layer.cell.bias.numpy(), GATES)
            biases.append(GateBias(number, gate, gate_biases[gate]))
    content = with_gate_biases(file.content, biases)
    return ParsedFile(file.path, content, parse(file.path, content))


def _gates_without_inputs(layer: keras.Layer) -> list[int]:
    """Return the gates with a bias whose input weights are all zero; of other layers none."""
    if type(layer) is not keras.layers.LSTM or not layer.use_bias:
        return []
    kernel = layer.cell.kernel.numpy().reshape(-1, GATES, layer.units)
    return [gate for gate in range(GATES) if not kernel[:, gate].any()]
