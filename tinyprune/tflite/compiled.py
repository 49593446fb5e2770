"""A ``.tflite`` that Vela compiled: what the NPU runs, what the CPU runs, and where tensors lie."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from tinyprune.errors import UsageError
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.graph import NPU_OPERATOR

_ALLOCATION = b"OfflineMemoryAllocation"
_ALLOCATION_HEADER = 3  # version, subgraph, number of tensors
NOT_IN_ARENA = -1


@dataclass(frozen=True, eq=False)
class CompiledTensor:
    """A tensor of a compiled network.

    Attributes:
        name: as the converter called it.
        shape: its shape.
        dtype: of its elements.
        scale, zero_point: float = scale * (integer - zero_point); 0 without quantization.
        address: in the arena; -1 where Vela gave it none.
        is_variable: whether it keeps its value from call to call.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    scale: float
    zero_point: int
    address: int
    is_variable: bool


@dataclass(frozen=True, eq=False)
class NpuStep:
    """Work of the NPU, done in one go.

    Attributes:
        payload: what the driver is given.
        constants: weights, biases and tables.
        arena_bytes: size of the arena.
        fast_bytes: size of the fast memory beside it; 0 where that is a part of the arena.
    """

    payload: bytes
    constants: bytes
    arena_bytes: int
    fast_bytes: int


@dataclass(frozen=True, eq=False)
class CpuStep:
    """Operators that the CPU runs one after the other.

    Attributes:
        names: of the operators.
        content: a ``.tflite`` of these operators alone.
        inputs, outputs: numbers of the tensors that it takes and makes.
    """

    names: tuple[str, ...]
    content: bytes
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class CompiledFile:
    """A compiled network.

    Attributes:
        tensors: all of them; the steps and ends below are numbers of these.
        steps: in the order of execution.
        inputs, outputs: numbers of the network's ends.
    """

    tensors: tuple[CompiledTensor, ...]
    steps: tuple[NpuStep | CpuStep, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_compiled(path: Path) -> CompiledFile:
    """Read a compiled ``.tflite``.

    Raises UsageError for a file that is missing, no TFLite, damaged, or not compiled by Vela.
    """
    content = flatbuffer.load(path)
    graph = flatbuffer.parse(path, content)
    if all(operator.name != NPU_OPERATOR for operator in graph.operators):
        raise UsageError(
            f"{path} is not compiled by Vela: compile it first (tinyprune compile {path.name})"
        )
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content)
    addresses = _addresses(model, path)
    tensors = []
    for number, tensor in enumerate(model.subgraphs[0].tensors):
        tensors.append(_tensor(tensor, addresses[number]))
    ends = model.subgraphs[0]
    return CompiledFile(
        tensors=tuple(tensors),
        steps=tuple(_steps(model, content)),
        inputs=tuple(map(int, ends.inputs)),
        outputs=tuple(map(int, ends.outputs)),
    )


def _addresses(model: Any, path: Path) -> list[int]:
    """Return the address of every tensor."""
    for entry in model.metadata or ():
        if bytes(entry.name) == _ALLOCATION:
            values = np.asarray(model.buffers[entry.buffer].data, np.uint8).view("<i4")
            return values[_ALLOCATION_HEADER:].tolist()
    raise UsageError(
        f"{path} does not say where its tensors lie ({_ALLOCATION.decode()}): "
        "expected a file that Vela wrote"
    )


def _tensor(tensor: Any, address: int) -> CompiledTensor:
    scale, zero_point = 0.0, 0
    quantization = tensor.quantization
    if quantization is not None and quantization.scale is not None and len(quantization.scale):
        scale, zero_point = float(quantization.scale[0]), int(quantization.zeroPoint[0])
    shape = () if tensor.shape is None else tensor.shape
    return CompiledTensor(
        name=bytes(tensor.name or b"").decode(errors="replace"),
        shape=tuple(map(int, shape)),
        dtype=np.dtype(flatbuffer.type_name(tensor.type)),
        scale=scale,
        zero_point=zero_point,
        address=int(address),
        is_variable=bool(tensor.isVariable),
    )


def _steps(model: Any, content: bytes) -> Iterator[NpuStep | CpuStep]:
    """Yield a step per ``ethos-u`` operator, and one per run of others."""
    graph = model.subgraphs[0]
    names = [_operator_name(model, operator) for operator in graph.operators]
    numbers = range(len(names))
    for is_npu, group in groupby(numbers, lambda number: names[number] == NPU_OPERATOR):
        if is_npu:
            for number in group:
                yield _npu_step(model, graph.operators[number])
        else:
            chosen = list(group)
            yield _cpu_step(content, chosen, [names[number] for number in chosen])


def _operator_name(model: Any, operator: Any) -> str:
    code = model.operatorCodes[operator.opcodeIndex]
    if code.customCode is not None:
        return code.customCode.decode()
    return flatbuffer.operator_name(max(code.builtinCode, code.deprecatedBuiltinCode))


def _npu_step(model: Any, operator: Any) -> NpuStep:
    """Return the step of an ``ethos-u`` operator: stream, constants, arena, fast memory, inputs."""
    stream, constants, arena, fast = map(int, operator.inputs[:4])
    tensors = model.subgraphs[0].tensors
    fast_bytes = 0 if fast == arena else int(np.prod(tensors[fast].shape))
    return NpuStep(
        payload=_data(model, tensors[stream]),
        constants=_data(model, tensors[constants]),
        arena_bytes=int(np.prod(tensors[arena].shape)),
        fast_bytes=fast_bytes,
    )


def _data(model: Any, tensor: Any) -> bytes:
    data = model.buffers[tensor.buffer].data
    if data is None:
        return b""
    return np.asarray(data, np.uint8).tobytes()


def _cpu_step(content: bytes, chosen: list[int], names: list[str]) -> CpuStep:
    """Return some operators as a network of their own."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content)
    graph = model.subgraphs[0]
    own: list[Any] = []
    others: list[Any] = []
    for number, operator in enumerate(graph.operators):
        (own if number in chosen else others).append(operator)
    inputs, outputs = _ends(model, own, others)
    graph.operators, graph.inputs, graph.outputs = own, inputs, outputs
    model.signatureDefs = None
    model.metadata = None
    return CpuStep(tuple(names), flatbuffer.pack(model), tuple(inputs), tuple(outputs))


def _ends(model: Any, own: list[Any], others: list[Any]) -> tuple[list[int], list[int]]:
    """Return the tensors that operators take from outside, and those that are used outside."""
    made = _numbers(operator.outputs for operator in own)
    read = _numbers(operator.inputs for operator in own)
    used = _numbers(operator.inputs for operator in others)
    used += _numbers([model.subgraphs[0].outputs])
    inputs = [number for number in read if number not in made and _is_given(model, number)]
    return inputs, [number for number in made if number in used]


def _numbers(groups: Any) -> list[int]:
    """Return the numbers of tensors in several lists, each once; those left out are -1."""
    found: dict[int, None] = {}
    for group in groups:
        for number in _given(group):
            found[int(number)] = None
    return [*found]


def _given(numbers: Sequence[int] | None) -> list[int]:
    if numbers is None:
        return []
    return [number for number in numbers if number >= 0]


def _is_given(model: Any, number: int) -> bool:
    """Return whether a tensor comes from outside: neither a constant nor a state."""
    tensor = model.subgraphs[0].tensors[number]
    return not tensor.isVariable and not _data(model, tensor)
