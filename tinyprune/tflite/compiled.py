"""A ``.tflite`` that Vela compiled: what the NPU runs, what the CPU runs, and where tensors lie."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
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
#: Number of a tensor that an operator does without, and its fields with numbers of tensors.
_LEFT_OUT = -1
_GROUPS = ("inputs", "outputs", "intermediates")


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
        steps=tuple(_steps(model)),
        inputs=tuple(map(int, ends.inputs)),
        outputs=tuple(map(int, ends.outputs)),
    )


@dataclass(frozen=True, eq=False)
class SplitNetwork:
    """A network in parts that run one after the other.

    Attributes:
        steps: the parts. inputs, outputs: numbers of the network's ends.
    """

    steps: tuple[CpuStep, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def operators_alone(content: bytes, is_one_kind: Callable[[str, bytes], bool]) -> SplitNetwork:
    """Return runs of neighbouring operators as networks of their own.

    Args:
        content: of a ``.tflite`` that Vela has not compiled.
        is_one_kind: whether an operator, by its name and as a network of its own, is of one kind or
            of the other; neighbours of one kind stay together. It is asked once for all operators
            of a name whose ends have the same types.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content)
    graph = model.subgraphs[0]
    names = [_operator_name(model, operator) for operator in graph.operators]
    kinds = [_kind(model, operator) for operator in graph.operators]
    firsts = {kind: number for number, kind in reversed([*enumerate(kinds)])}
    answers = {}
    for kind, number in firsts.items():
        alone = _cpu_step(model, [number], [names[number]])
        answers[kind] = is_one_kind(names[number], alone.content)
    steps = []
    for _, group in groupby(range(len(names)), lambda number: answers[kinds[number]]):
        chosen = list(group)
        steps.append(_cpu_step(model, chosen, [names[number] for number in chosen]))
    return SplitNetwork(tuple(steps), tuple(map(int, graph.inputs)), tuple(map(int, graph.outputs)))


def _kind(model: Any, operator: Any) -> tuple[Any, ...]:
    """Return the name of an operator with the types of its ends."""
    tensors = model.subgraphs[0].tensors
    ends = [*_given(operator.inputs), *_given(operator.outputs)]
    return _operator_name(model, operator), *(tensors[number].type for number in ends)


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


def _steps(model: Any) -> Iterator[NpuStep | CpuStep]:
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
            yield _cpu_step(model, chosen, [names[number] for number in chosen])


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


def _cpu_step(model: Any, chosen: Sequence[int], names: Sequence[str]) -> CpuStep:
    """Return some operators as a network of their own, with the tensors that they need."""
    from ai_edge_litert import schema_py_generated as schema

    own: list[Any] = []
    others: list[Any] = []
    for number, operator in enumerate(model.subgraphs[0].operators):
        (own if number in chosen else others).append(operator)
    inputs, outputs = _ends(model, own, others)
    places = {number: place for place, number in enumerate(_numbers(map(_own_tensors, own)))}

    part = schema.ModelT()
    part.version = model.version
    part.operatorCodes = model.operatorCodes
    part.buffers = [schema.BufferT()]
    graph = schema.SubGraphT()
    graph.tensors = [_moved_tensor(model, number, part.buffers) for number in places]
    graph.operators = [_moved_operator(operator, places) for operator in own]
    graph.inputs = [places[number] for number in inputs]
    graph.outputs = [places[number] for number in outputs]
    part.subgraphs = [graph]
    return CpuStep(tuple(names), flatbuffer.pack(part), tuple(inputs), tuple(outputs))


def _own_tensors(operator: Any) -> list[int]:
    """Return the tensors of an operator; those left out are not in it."""
    return [number for group in _GROUPS for number in _given(getattr(operator, group))]


def _moved_tensor(model: Any, number: int, buffers: list[Any]) -> Any:
    """Return a tensor for a model whose buffers are given; its data go there."""
    tensor = copy(model.subgraphs[0].tensors[number])
    content = model.buffers[tensor.buffer]
    tensor.buffer = 0
    if content.data is not None:
        tensor.buffer = len(buffers)
        buffers.append(content)
    return tensor


def _moved_operator(operator: Any, places: Mapping[int, int]) -> Any:
    """Return an operator with its tensors at other places."""
    moved = copy(operator)
    for group in _GROUPS:
        numbers = getattr(operator, group)
        if numbers is not None:
            setattr(moved, group, [places.get(int(number), _LEFT_OUT) for number in numbers])
    return moved


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
