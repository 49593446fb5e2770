"""Puts cells into a converted network, between the tensors that they read and make.

The converter is given the network without its recurrent layers: what they make are inputs of it,
what they read are outputs. Here both become tensors inside.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyprune.tflite.cells.cell import CellLayer, CellState, CellWeights
from tinyprune.tflite.cells.gru import GRUCell
from tinyprune.tflite.cells.lstm import LSTMCell, MergedLSTMCell
from tinyprune.tflite.cells.network_writer import (
    H,
    NetworkWriter,
    Numbers,
    Shape,
    Value,
    empty_model,
)
from tinyprune.tflite.flatbuffer import pack
from tinyprune.tflite.interpreter import CONTEXT, NEW_CONTEXT

#: Kind, and whether one product reads inputs and state.
_CELLS: Mapping[tuple[str, bool], type[CellLayer]] = {
    ("gru", False): GRUCell,
    ("lstm", False): LSTMCell,
    ("lstm", True): MergedLSTMCell,
}


@dataclass(frozen=True, eq=False)
class Cell:
    """A recurrent layer of a network.

    Attributes:
        name: of the layer; the names of its tensors begin with it.
        weights: its weights.
        reads, makes: ends of the network that is given, by their names, or others of ``tensors``;
            what it makes is on the grid of h.
        keeps_state: whether its state lives from call to call; else every call begins with zeros.
        makes_all: whether it makes all frames, and not the last one only.
    """

    name: str
    weights: CellWeights
    reads: str
    makes: str
    keeps_state: bool
    makes_all: bool


@dataclass(frozen=True)
class NewTensor:
    """A tensor between cells that the converter knows nothing of. Attributes: shape; numbers."""

    shape: Shape
    numbers: Numbers


@dataclass(frozen=True)
class State:
    """A state that goes in and comes out of every call.

    Attributes:
        name: ``LAYER/hidden``, ...
        before, after: its input and its output.
    """

    name: str
    before: Value
    after: Value


def insert(
    content: bytes | None,
    cells: Sequence[Cell],
    tensors: Mapping[str, NewTensor],
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
) -> tuple[bytes, tuple[State, ...]]:
    """Return a network with its cells, and their states.

    In its signature the states follow the contexts that are there: ``context_N``,
    ``new_context_N``.

    Args:
        content: the flatbuffer of the network without cells, with a signature; None where nothing
            is left of it.
        cells: in an order in which they can be computed.
        tensors: name -> what the converter did not make.
        inputs, outputs: ends of the whole network, contexts behind the first -> names of their
            tensors.
    """
    network = _Network(content)
    for name, tensor in tensors.items():
        network.add(name, tensor)
    states: list[State] = []
    for cell in cells:
        states += network.write(cell)

    given = {end: network.values[name] for end, name in inputs.items()}
    made = {end: network.values[name] for end, name in outputs.items()}
    first = len(inputs)
    for number, state in enumerate(states, first):
        given[f"{CONTEXT}{number}"] = state.before
        made[f"{NEW_CONTEXT}{number}"] = state.after
    return network.finished(given, made), tuple(states)


class _Network:
    """The network while cells are put in.

    Attributes:
        values: name -> tensor that cells read or make, or that the whole network does.
    """

    def __init__(self, content: bytes | None) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema = schema
        if content is None:
            self._model = empty_model()
        else:
            self._model = schema.ModelT.InitFromPackedBuf(content)
        self._graph = self._model.subgraphs[0]
        self.values: dict[str, Value] = {}
        self._as_uint8: dict[int, Value] = {}
        if content is not None:
            writer = NetworkWriter(self._model, "")
            [signature] = self._model.signatureDefs
            for end in [*signature.inputs, *signature.outputs]:
                self.values[end.name.decode()] = writer.value(end.tensorIndex)

    def add(self, name: str, tensor: NewTensor) -> None:
        """Add a tensor that the converter did not make."""
        writer = NetworkWriter(self._model, "cells")
        self.values[name] = writer.tensor(name, tensor.shape, tensor.numbers)

    def write(self, cell: Cell) -> list[State]:
        """Write a cell; return its states."""
        writer = NetworkWriter(self._model, cell.name)
        read = self.values[cell.reads]
        made = self.values[cell.makes]
        assert made.numbers == H, "what a cell makes has its grid"
        limit = cell.weights.input_limit
        layer = _CELLS[cell.weights.kind, limit is not None](writer, cell.weights)
        projected = layer.project(self._read(writer, read, limit))

        before = _state_before(writer, layer) if cell.keeps_state else None
        state = before
        frames = []
        for number in range(read.shape[1]):
            begin = [0, number, 0]
            end = [1, number + 1, projected.shape[2]]
            of_frame = writer.part(f"{number}/projected", projected, begin, end)
            h, state = layer.step(str(number), of_frame, state)
            frames.append(h)

        wanted = frames if cell.makes_all else frames[-1:]
        self._become(writer.joined("sequence", wanted, axis=1), made, writer)
        if before is None or state is None:
            return []
        if len(frames) == 1:
            self._as_uint8[made.index] = state[0]
        return [
            State(f"{cell.name}/{name}", old, new)
            for name, old, new in zip(layer.state_names, before, state, strict=True)
        ]

    def _read(self, writer: NetworkWriter, read: Value, limit: float | None) -> Value:
        """Return inputs as uint8, divided by their limit where they have one."""
        if limit is not None and (read.numbers, limit) != (H, 1):
            read = writer.divided("divided", read, limit, H)
        if read.index not in self._as_uint8:
            self._as_uint8[read.index] = writer.as_uint8("read", read)
        return self._as_uint8[read.index]

    def _become(self, sequence: Value, made: Value, writer: NetworkWriter) -> None:
        """Let the tensor that the network reads be the one that a cell makes."""
        self._graph.tensors[made.index].name = f"{writer.prefix}/output".encode()
        if sequence.shape != made.shape:
            writer.reshaped(sequence, made)
            return
        for operator in self._graph.operators:
            operator.outputs = _replaced(operator.outputs, sequence.index, made.index)
            operator.inputs = _replaced(operator.inputs, sequence.index, made.index)

    def finished(self, given: Mapping[str, Value], made: Mapping[str, Value]) -> bytes:
        """Return the flatbuffer with these ends, operators in an order that can be computed."""
        schema = self._schema
        graph = self._graph
        graph.inputs = np.array([value.index for value in given.values()], np.int32)
        graph.outputs = np.array([value.index for value in made.values()], np.int32)
        graph.operators = _in_order(_read_by_any(graph.operators, set(graph.outputs.tolist())))
        signature = schema.SignatureDefT()
        signature.signatureKey = b"serving_default"
        signature.subgraphIndex = 0
        signature.inputs = [self._end(name, value) for name, value in given.items()]
        signature.outputs = [self._end(name, value) for name, value in made.items()]
        self._model.signatureDefs = [signature]
        return pack(self._model)

    def _end(self, name: str, value: Value) -> Any:
        end = self._schema.TensorMapT()
        end.name = name.encode()
        end.tensorIndex = value.index
        return end


def _state_before(writer: NetworkWriter, layer: CellLayer) -> CellState:
    """Add the tensors of the state that goes in."""
    (name, other_name), (shape, other_shape) = layer.state_names, layer.state_shapes
    numbers, other_numbers = layer.state_numbers
    return (
        writer.tensor(name, shape, numbers),
        writer.tensor(other_name, other_shape, other_numbers),
    )


def _replaced(indices: Any, old: int, new: int) -> Any:
    return np.array([new if index == old else index for index in indices], np.int32)


def _read_by_any(operators: Sequence[Any], outputs: set[int]) -> list[Any]:
    """Return the operators that the outputs depend on."""
    needed = set(outputs)
    maker = {int(index): operator for operator in operators for index in operator.outputs}
    waiting = list(outputs)
    while waiting:
        operator = maker.get(waiting.pop())
        if operator is None:
            continue
        for index in map(int, operator.inputs):
            if index not in needed:
                needed.add(index)
                waiting.append(index)
    return [operator for operator in operators if needed.intersection(map(int, operator.outputs))]


def _in_order(operators: Sequence[Any]) -> list[Any]:
    """Return operators so that each comes after those that make what it reads."""
    made_by_any = {int(index) for operator in operators for index in operator.outputs}
    ready: set[int] = set()
    ordered: list[Any] = []
    waiting = list(operators)
    while waiting:
        later = []
        for operator in waiting:
            needed = made_by_any.intersection(map(int, operator.inputs))
            if needed <= ready:
                ordered.append(operator)
                ready.update(map(int, operator.outputs))
            else:
                later.append(operator)
        assert len(later) < len(waiting), "cells lie in a circle"
        waiting = later
    return ordered
