"""A compiled network as a device runs it: NPU and CPU take turns on one arena."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tinyprune.errors import UsageError
from tinyprune.npu.stream import payload
from tinyprune.npu.stream.memory import LUT_BYTES, Bytes, Memory
from tinyprune.npu.stream.program import Program
from tinyprune.npu.stream.registers import Unsupported
from tinyprune.tflite.compiled import (
    NOT_IN_ARENA,
    CompiledFile,
    CompiledTensor,
    CpuStep,
    NpuStep,
    read_compiled,
)
from tinyprune.tflite.engines import Engine
from tinyprune.tflite.reference import device_engine

NAME = "stream"
# Regions of the NPU's addresses, in the order in which Vela lists the inputs of its operator.
_CONSTANTS, _ARENA, _FAST = range(3)


class CompiledNetwork:
    """A compiled network, which keeps its state between calls.

    Attributes:
        name: of this engine.
        file: what is run.
        programs: the streams of the NPU, in order.
        inputs, outputs: the tensors at its ends.

    Raises UsageError for a file that Vela did not compile, Unsupported for a stream that is not
    understood.
    """

    name = NAME

    def __init__(self, path: Path) -> None:
        self.file = read_compiled(path)
        self.inputs = [self.file.tensors[number] for number in self.file.inputs]
        self.outputs = [self.file.tensors[number] for number in self.file.outputs]
        self.programs: list[Program] = []
        self._engines: list[Engine] = []
        self._arena, self._fast = _memories(self.file)
        self._values = [_values(tensor, self._arena) for tensor in self.file.tensors]
        self._steps = [self._step(step) for step in self.file.steps]
        self.reset()

    @property
    def has_wide_numbers(self) -> bool:
        """True where a stream computes with numbers of 16 bit, as those of an LSTM do."""
        return any(program.has_wide_numbers for program in self.programs)

    def reset(self) -> None:
        """Forget all state: variables are their zero points."""
        for tensor, values in zip(self.file.tensors, self._values, strict=True):
            if tensor.is_variable:
                values[...] = tensor.zero_point
        for engine in self._engines:
            engine.reset()

    def invoke(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the outputs for inputs, which have the types and shapes of ``self.inputs``."""
        for number, values in zip(self.file.inputs, inputs, strict=True):
            self._values[number][...] = values
        for step in self._steps:
            step()
        return [self._values[number].copy() for number in self.file.outputs]

    def _set(self, number: int, values: np.ndarray) -> None:
        """Set a tensor to what the CPU computed."""
        own = self._values[number]
        if own.size != values.size:
            raise Unsupported(f"a tensor of the CPU that is {values.shape} and not {own.shape}")
        own[...] = values.reshape(own.shape)

    def _step(self, step: NpuStep | CpuStep) -> Callable[[], None]:
        """Return a step as a function without arguments."""
        if isinstance(step, CpuStep):
            return self._cpu_step(step)
        stream = payload.parse(step.payload)
        regions = {
            _CONSTANTS: np.frombuffer(step.constants, np.uint8),
            _ARENA: self._arena,
            _FAST: self._fast if step.fast_bytes else self._arena,
        }
        tables = np.zeros(LUT_BYTES, np.uint8)
        program = Program(stream, Memory(regions, tables))
        self.programs.append(program)
        return program.run

    def _cpu_step(self, step: CpuStep) -> Callable[[], None]:
        engine = device_engine(step.content)
        self._engines.append(engine)

        def run() -> None:
            made = engine.invoke([self._values[number] for number in step.inputs])
            for number, values in zip(step.outputs, made, strict=True):
                self._set(number, values)

        return run


def _memories(file: CompiledFile) -> tuple[Bytes, Bytes]:
    """Return the arena and the fast memory beside it, all zeros."""
    arena, fast = 0, 0
    for step in file.steps:
        if isinstance(step, NpuStep):
            arena = max(arena, step.arena_bytes)
            fast = max(fast, step.fast_bytes)
    for tensor in file.tensors:
        if tensor.address != NOT_IN_ARENA:
            arena = max(arena, tensor.address + _byte_count(tensor))
    return np.zeros(arena, np.uint8), np.zeros(fast, np.uint8)


def _byte_count(tensor: CompiledTensor) -> int:
    return int(np.prod(tensor.shape)) * tensor.dtype.itemsize


def _values(tensor: CompiledTensor, arena: Bytes) -> np.ndarray:
    """Return the elements of a tensor: a part of the arena, or an array of its own."""
    if tensor.address == NOT_IN_ARENA:
        return np.zeros(tensor.shape, tensor.dtype)
    if tensor.address < 0:
        raise UsageError(f"tensor '{tensor.name}' has the address {tensor.address}")
    return np.ndarray(tensor.shape, tensor.dtype, arena.data, tensor.address)
