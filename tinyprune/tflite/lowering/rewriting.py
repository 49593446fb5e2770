"""Operators with kernels, replaced by one for each part of the kernel: the same bytes come out."""

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyprune.tflite.cells.network_writer import NetworkWriter, Value
from tinyprune.tflite.flatbuffer import pack, type_name
from tinyprune.tflite.graph import Graph, Operator
from tinyprune.tflite.kernels import int8_kernels
from tinyprune.tflite.lowering.bias_only import bias_only
from tinyprune.tflite.lowering.parts import Costs, Part, Work, has_blocks, parts_of
from tinyprune.tflite.lowering.rewritten import Rewritten

Parts = tuple[Part, ...]
_LOWERED = ("FULLY_CONNECTED", "CONV_2D")


def divisible(graph: Graph, costs: Costs) -> dict[int, Parts]:
    """Return number of an operator -> the parts of its kernel, where they may cost less."""
    found = {}
    for number, operator in enumerate(graph.operators):
        kernel = _kernel(operator)
        if kernel is None or not has_blocks(kernel):
            continue
        parts = parts_of(kernel, costs, _work(operator))
        reads_all = parts[0].input_count == kernel.shape[-2]
        if len(parts) > 1 or not reads_all:
            found[number] = parts
    return found


def _work(operator: Operator) -> Work:
    read, weights = operator.given_inputs[:2]
    made = math.prod(operator.outputs[0].shape[:-1])
    return Work(made, math.prod(read.shape[:-1]), math.prod(weights.shape[1:-1]))


def _kernel(operator: Operator) -> npt.NDArray[np.int8] | None:
    """The kernel of an operator that can be divided, (spatial..., inputs, outputs)."""
    if operator.name not in _LOWERED:
        return None
    kernel = int8_kernels(operator).get("kernel")
    return kernel if kernel is not None and _is_plain(operator, kernel) else None


def _is_plain(operator: Operator, kernel: npt.NDArray[np.int8]) -> bool:
    """Return whether the last axes of input and output are those of a kernel."""
    read, [made, *_] = operator.inputs[0], operator.outputs
    if read is None or read.dtype not in ("int8", "uint8"):
        return False
    return read.shape[-1:] + made.shape[-1:] == kernel.shape[-2:]


def divided(content: bytes, parts: Mapping[int, Parts]) -> Rewritten:
    """Return a network in which operators are divided.

    Args:
        content: the flatbuffer; one of a single graph.
        parts: number of an operator -> parts of its kernel.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content)
    graph = model.subgraphs[0]
    operators = list(graph.operators)
    graph.operators = []
    division = _Division(model, schema)
    source_of: list[int] = []
    for number, operator in enumerate(operators):
        if number in parts:
            division.write(operator, parts[number])
        else:
            graph.operators.append(operator)
        source_of += [number] * (len(graph.operators) - len(source_of))
    return Rewritten(pack(model), tuple(source_of), tuple(sorted(parts)))


class _Division:
    """Writes divided operators behind those that are there."""

    def __init__(self, model: Any, schema: Any) -> None:
        self._model = model
        self._schema = schema
        self._graph = model.subgraphs[0]
        self._gathered: dict[tuple[int, Any], Value] = {}

    def write(self, operator: Any, parts: Parts) -> None:
        """Write an operator as one for each part, and lay their outputs side by side."""
        read = int(operator.inputs[0])
        output = int(operator.outputs[0])
        name = self._graph.tensors[output].name.decode()
        writer = NetworkWriter(self._model, name)
        if len(parts) == 1:
            gathered = self._gather(writer, writer.value(read), parts[0])
            self._part(operator, parts[0], gathered, output, 0)
            return
        made = []
        without_weights = None
        for number, part in enumerate(parts):
            if self._is_bias_only(operator, part):
                if without_weights is None:
                    without_weights = bias_only(self._model, operator)
                made.append(self._constant_part(writer, operator, part, without_weights))
                continue
            gathered = self._gather(writer, writer.value(read), part)
            made.append(self._part(operator, part, gathered, None, number))
        self._lay_together(made, output)

    def _is_bias_only(self, operator: Any, part: Part) -> bool:
        """Return whether a part has no weights, of an operator that makes one position."""
        output = self._graph.tensors[int(operator.outputs[0])]
        if math.prod(output.shape) != output.shape[-1]:
            return False
        weights = int(operator.inputs[1])
        [zero, *_] = self._graph.tensors[weights].quantization.zeroPoint
        first, last = part.outputs
        return bool((self._values(weights)[first:last] == zero).all())

    def _constant_part(
        self, writer: NetworkWriter, operator: Any, part: Part, outputs: npt.NDArray[Any]
    ) -> int:
        """Write the outputs of a part without weights; return their tensor.

        They go through MAXIMUM: a constant that is laid beside others costs as much as an operator.
        """
        first, last = part.outputs
        numbers = writer.value(int(operator.outputs[0])).numbers
        values = outputs[..., first:last]
        constant = writer.constant(f"bias_only_{first}", values, numbers)
        return writer.copy(f"copy_{constant.index}", constant).index

    def _gather(self, writer: NetworkWriter, read: Value, part: Part) -> int:
        """Return the tensor of the inputs that a part reads."""
        key = (read.index, part.inputs)
        if key not in self._gathered:
            pieces = []
            for first, last in part.inputs:
                name = f"{read.index}_{first}_{last}"
                pieces.append(writer.channels(f"inputs_{name}", read, first, last))
            if len(pieces) > 1:
                copies = [writer.copy(f"copy_{piece.index}", piece) for piece in pieces]
                pieces = [writer.joined(f"inputs_{read.index}_{len(self._gathered)}", copies, -1)]
            self._gathered[key] = pieces[0]
        return self._gathered[key].index

    def _part(self, operator: Any, part: Part, read: int, output: int | None, number: int) -> int:
        """Write the operator of a part; return its output."""
        first, last = part.outputs
        own = copy.copy(operator)
        weights = self._weights(int(operator.inputs[1]), part, number)
        inputs = [read, weights]
        for bias in list(operator.inputs)[2:]:
            inputs.append(self._rows(int(bias), first, last, number) if bias >= 0 else -1)
        if output is None:
            whole = int(operator.outputs[0])
            shape = [*self._graph.tensors[whole].shape[:-1], last - first]
            output = self._like(whole, f"part_{number}", shape)
        own.inputs = np.array(inputs, np.int32)
        own.outputs = np.array([output], np.int32)
        self._graph.operators.append(own)
        return output

    def _weights(self, index: int, part: Part, number: int) -> int:
        """Return the weights of a part: outputs first, inputs last."""
        first, last = part.outputs
        columns = np.concatenate([np.arange(*run) for run in part.inputs])
        whole = self._values(index)
        return self._constant(index, f"part_{number}", whole[first:last][..., columns], first, last)

    def _rows(self, index: int, first: int, last: int, number: int) -> int:
        rows = self._values(index)[first:last]
        return self._constant(index, f"part_{number}", rows, first, last)

    def _values(self, index: int) -> npt.NDArray[Any]:
        tensor = self._graph.tensors[index]
        data = self._model.buffers[tensor.buffer].data
        raw = np.frombuffer(bytes(data), np.dtype(type_name(tensor.type)))
        return raw.reshape(tuple(tensor.shape))

    def _constant(
        self, index: int, name: str, values: npt.NDArray[Any], first: int, last: int
    ) -> int:
        """Add some rows of a constant, with their scales."""
        added = self._like(index, name, values.shape)
        tensor = self._graph.tensors[added]
        quantization = tensor.quantization
        if quantization is not None and len(quantization.scale) > 1:
            quantization.scale = quantization.scale[first:last]
            quantization.zeroPoint = quantization.zeroPoint[first:last]
        buffer = self._schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        tensor.buffer = len(self._model.buffers)
        self._model.buffers.append(buffer)
        return added

    def _like(self, index: int, name: str, shape: Sequence[int]) -> int:
        """Add a tensor like another one, of another shape."""
        tensor = copy.deepcopy(self._graph.tensors[index])
        tensor.name = tensor.name + f"/{name}".encode()
        tensor.shape = np.array(shape, np.int32)
        tensor.shapeSignature = None
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _lay_together(self, made: Sequence[int], output: int) -> None:
        options = self._schema.ConcatenationOptionsT()
        options.axis = len(self._graph.tensors[output].shape) - 1
        writer = NetworkWriter(self._model, "")
        writer.operator("CONCATENATION", list(made), output, options, version=2)
