"""Functions that the converter leaves in float, though their operator has an int8 form.

It puts a DEQUANTIZE before them and a QUANTIZE behind, with the scale that calibration found. Both
go, and the operator reads and makes integers. LiteRT, TFLM and Vela look them up in a table.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinyprune.tflite.flatbuffer import operator_name, pack
from tinyprune.tflite.graph import Graph

_FUNCTIONS = ("ELU",)


def with_int8_functions(content: bytes, graph: Graph) -> bytes:
    """Return a flatbuffer whose functions are int8 where they stand between int8 tensors.

    Args:
        content: of a converted network.
        graph: what it holds.
    """
    if not any(op.name in _FUNCTIONS and op.has_floats for op in graph.operators):
        return content
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content)
    network = _Network(model)
    for operator in list(model.subgraphs[0].operators):
        if network.name(operator) in _FUNCTIONS:
            network.make_int8(operator)
    _drop_unread(model)
    return pack(model)


class _Network:
    """The operators of a flatbuffer by the tensors that they make and read."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._graph = model.subgraphs[0]
        self._makers: dict[int, Any] = {}
        self._readers: dict[int, list[Any]] = {}
        for operator in self._graph.operators:
            for number in _numbers(operator.outputs):
                self._makers[number] = operator
            for number in _numbers(operator.inputs):
                self._readers.setdefault(number, []).append(operator)

    def name(self, operator: Any) -> str:
        """Return the name of an operator."""
        return operator_name(self._model.operatorCodes[operator.opcodeIndex].builtinCode)

    def make_int8(self, function: Any) -> None:
        """Let a function read and make integers; the name of what it makes stays."""
        before = self._makers.get(int(function.inputs[0]))
        made = int(function.outputs[0])
        after = self._readers.get(made, [])
        if before is None or self.name(before) != "DEQUANTIZE":
            return
        if len(after) != 1 or self.name(after[0]) != "QUANTIZE":
            return
        quantized = int(after[0].outputs[0])
        self._graph.tensors[quantized].name = self._graph.tensors[made].name
        function.inputs = np.array(before.inputs)
        function.outputs = np.array(after[0].outputs)
        self._graph.operators.remove(after[0])
        floats = int(before.outputs[0])
        self._readers[floats].remove(function)
        if not self._readers[floats]:
            self._graph.operators.remove(before)


def _drop_unread(model: Any) -> None:
    """Drop the tensors of the network that no operator and no end of it has."""
    graph = model.subgraphs[0]
    used = {*_numbers(graph.inputs), *_numbers(graph.outputs)}
    for operator in graph.operators:
        used |= {*_numbers(operator.inputs), *_numbers(operator.outputs)}
    new_number = {old: new for new, old in enumerate(sorted(used))}
    new_number[-1] = -1  # an input that is left out
    graph.tensors = [graph.tensors[old] for old in sorted(used)]

    def renumbered(numbers: Any) -> Any:
        return np.array([new_number[int(number)] for number in numbers], np.int32)

    for holder in (graph, *graph.operators):
        holder.inputs = renumbered(holder.inputs)
        holder.outputs = renumbered(holder.outputs)
    for signature in model.signatureDefs or ():
        for end in (*signature.inputs, *signature.outputs):
            end.tensorIndex = new_number[end.tensorIndex]


def _numbers(numbers: Iterable[int] | None) -> list[int]:
    """The numbers of tensors that are there."""
    return [int(number) for number in (() if numbers is None else numbers) if number >= 0]
