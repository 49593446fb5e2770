"""A compiled network as a device needs it: its arrays, and where its ends and states lie."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyprune.errors import UsageError
from tinyprune.npu.stream.network import CompiledNetwork
from tinyprune.tflite.compiled import NOT_IN_ARENA, CompiledTensor, CpuStep, NpuStep
from tinyprune.tflite.interpreter import CONTEXT, NEW_CONTEXT, End, Int8Model, signature_details

CACHE_LINE = 32  # bytes, of Cortex-M55 and M85
_SIGNED = "int"
_ALIGNMENT = 16
#: Headers of C, which files of these names would hide, and that of the driver.
_HEADERS = frozenset(
    [
        "assert",
        "complex",
        "ctype",
        "errno",
        "ethosu_driver",
        "fenv",
        "float",
        "inttypes",
        "iso646",
        "limits",
        "locale",
        "math",
        "setjmp",
        "signal",
        "stdalign",
        "stdarg",
        "stdatomic",
        "stdbool",
        "stddef",
        "stdint",
        "stdio",
        "stdlib",
        "string",
        "tgmath",
        "threads",
        "time",
        "uchar",
        "wchar",
        "wctype",
    ]
)
_LONGEST_NAME = 48


@dataclass(frozen=True)
class DeviceEnd:
    """An input or an output of the network in the arena.

    Attributes:
        name: a C identifier; "input" or "output" where there is one.
        offset: bytes from the beginning of the arena.
        shape: without the batch axis.
        dtype: of its integers.
        scale, zero_point: float = scale * (integer - zero_point).
    """

    name: str
    offset: int
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int

    @property
    def elements(self) -> int:
        """Number of integers."""
        return int(np.prod(self.shape))

    @property
    def element_bytes(self) -> int:
        """Bytes of an integer."""
        return np.dtype(self.dtype).itemsize

    @property
    def byte_count(self) -> int:
        """Bytes of all integers."""
        return self.elements * self.element_bytes

    @property
    def is_signed(self) -> bool:
        """True where integers may be negative."""
        return self.dtype.startswith(_SIGNED)

    @property
    def c_type(self) -> str:
        """The type of an integer in C."""
        return f"{self.dtype}_t"

    @property
    def least(self) -> int:
        """The smallest integer."""
        return int(np.iinfo(self.dtype).min)

    @property
    def most(self) -> int:
        """The largest integer."""
        return int(np.iinfo(self.dtype).max)

    @property
    def shape_text(self) -> str:
        """The shape in words, e.g. ``32 x 32 x 3``."""
        return " x ".join(map(str, self.shape)) or "1"


@dataclass(frozen=True)
class DeviceState:
    """A state that stays in the arena from call to call.

    Attributes:
        name: of its tensor.
        offset: bytes from the beginning of the arena.
        elements: number of integers. element_bytes: of each.
        start: the integer that a reset sets.
    """

    name: str
    offset: int
    elements: int
    element_bytes: int
    start: int

    @property
    def byte_count(self) -> int:
        """Bytes of all integers."""
        return self.elements * self.element_bytes

    @property
    def start_bytes(self) -> bytes:
        """The bytes that a reset sets."""
        return np.full(self.elements, self.start, f"<i{self.element_bytes}").tobytes()


@dataclass(frozen=True)
class DeviceContext:
    """A state that goes in and comes out of every call.

    Attributes:
        input_offset, output_offset: bytes from the beginning of the arena.
        place: where it is kept between calls, bytes from the beginning of what keeps all.
        elements, element_bytes, start: as in :class:`DeviceState`.
    """

    input_offset: int
    output_offset: int
    place: int
    elements: int
    element_bytes: int
    start: int

    @property
    def byte_count(self) -> int:
        """Bytes of all integers."""
        return self.elements * self.element_bytes


@dataclass(frozen=True)
class DeviceModel:
    """A compiled network that the NPU runs in one go.

    Attributes:
        commands: what the driver is given. constants: weights, biases, scales, tables.
        arena_bytes: size of the arena. fast_bytes: of the fast memory beside it, or 0.
        inputs, outputs: without those of contexts.
        states, contexts: what is kept from call to call.
    """

    commands: bytes
    constants: bytes
    arena_bytes: int
    fast_bytes: int
    inputs: tuple[DeviceEnd, ...]
    outputs: tuple[DeviceEnd, ...]
    states: tuple[DeviceState, ...]
    contexts: tuple[DeviceContext, ...]

    @property
    def arena_size(self) -> int:
        """Bytes of the arena in whole cache lines."""
        return _whole_lines(self.arena_bytes)

    @property
    def fast_size(self) -> int:
        """Bytes of the fast memory in whole cache lines."""
        return _whole_lines(self.fast_bytes)

    @property
    def context_bytes(self) -> int:
        """Bytes that contexts take between calls."""
        return sum(context.byte_count for context in self.contexts)


def device_model(source: Path, network: CompiledNetwork) -> DeviceModel:
    """Return a compiled network for a device.

    ``source``: the file that it was compiled from, whose signature has the names of its ends.
    Raises UsageError where the CPU has a part in it.
    """
    step = _only_step(source, network)
    inputs, outputs = network.inputs, network.outputs
    given, made = _named_ends(source, inputs, outputs)
    return DeviceModel(
        commands=step.payload,
        constants=step.constants,
        arena_bytes=max(step.arena_bytes, _end_of_tensors(network)),
        fast_bytes=step.fast_bytes,
        inputs=given,
        outputs=made,
        states=_states(network),
        contexts=_contexts(source, inputs, outputs),
    )


def exchange_model(source: Path, network: CompiledNetwork, content: bytes) -> DeviceModel:
    """Return a compiled network that TFLM runs: its ends lie in a memory of their own.

    ``content``: of the compiled file, which takes the place of the constants. TFLM keeps states.
    """
    inputs, outputs = exchange_ends(network)
    given, made = _named_ends(source, inputs, outputs)
    last = outputs[-1]
    return DeviceModel(
        commands=b"",
        constants=content,
        arena_bytes=last.address + _byte_count(last),
        fast_bytes=0,
        inputs=given,
        outputs=made,
        states=(),
        contexts=_contexts(source, inputs, outputs),
    )


def exchange_ends(
    network: CompiledNetwork,
) -> tuple[list[CompiledTensor], list[CompiledTensor]]:
    """Return inputs and outputs with addresses one after the other, each aligned."""
    placed = []
    place = 0
    for tensor in (*network.inputs, *network.outputs):
        placed.append(replace(tensor, address=place))
        place += -(-_byte_count(tensor) // _ALIGNMENT) * _ALIGNMENT
    count = len(network.inputs)
    return placed[:count], placed[count:]


def _byte_count(tensor: CompiledTensor) -> int:
    return int(np.prod(tensor.shape)) * tensor.dtype.itemsize


def _named_ends(
    source: Path, inputs: Sequence[CompiledTensor], outputs: Sequence[CompiledTensor]
) -> tuple[tuple[DeviceEnd, ...], tuple[DeviceEnd, ...]]:
    """Return the inputs and the outputs, without those of contexts, with their names."""
    runner = Int8Model(source)
    given = _ends(inputs, runner.inputs, "input")
    return given, _ends(outputs, runner.outputs, "output")


def c_identifier(text: str) -> str:
    """Return a text as a C identifier in small letters, which is no header of the C library.

    Of a long one the beginning, because it begins names of functions and files.
    """
    plain = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_").lower()[:_LONGEST_NAME]
    if not plain or plain[0].isdigit() or plain in _HEADERS:
        return f"network_{plain}".rstrip("_")
    return plain


def _whole_lines(count: int) -> int:
    return -(-count // CACHE_LINE) * CACHE_LINE


def _only_step(source: Path, network: CompiledNetwork) -> NpuStep:
    names: list[str] = []
    steps: list[NpuStep] = []
    for step in network.file.steps:
        if isinstance(step, CpuStep):
            names += step.names
        else:
            steps.append(step)
    if names:
        raise UsageError(
            f"{source.name} leaves {', '.join(dict.fromkeys(names))} to the CPU, which the driver "
            "alone cannot run: give --runtime tflm, or change these layers"
        )
    if len(steps) > 1:
        raise UsageError(
            f"{source.name} was compiled into {len(steps)} parts, expected one: give --runtime tflm"
        )
    return steps[0]


def _end_of_tensors(network: CompiledNetwork) -> int:
    """Return the number of bytes of the arena that tensors reach."""
    ends = [0]
    for tensor in network.file.tensors:
        if tensor.address != NOT_IN_ARENA:
            ends.append(tensor.address + _byte_count(tensor))
    return max(ends)


def _ends(
    tensors: Sequence[CompiledTensor], named: Sequence[End], only: str
) -> tuple[DeviceEnd, ...]:
    """Return the ends that have a name, in that order; ``only``: the name of one alone."""
    ends = []
    for own in named:
        tensor = _named(tensors, own.tensor)
        ends.append(
            DeviceEnd(
                name=only if len(named) == 1 else f"{only}_{c_identifier(own.name)}",
                offset=_address(tensor),
                shape=tensor.shape[1:],
                dtype=tensor.dtype.name,
                scale=tensor.scale,
                zero_point=tensor.zero_point,
            )
        )
    if len({end.name for end in ends}) < len(ends):
        names = ", ".join(own.name for own in named)
        raise UsageError(f"of the {only}s {names}, some have one name in C: rename them")
    return tuple(ends)


def _address(tensor: CompiledTensor) -> int:
    if tensor.address < 0:
        raise UsageError(f"tensor '{tensor.name}' has no address in the arena: compile it again")
    return tensor.address


def _states(network: CompiledNetwork) -> tuple[DeviceState, ...]:
    """Return every state once: Vela lists one as often as it is used."""
    states: dict[int, DeviceState] = {}
    for tensor in network.file.tensors:
        if tensor.is_variable:
            states[_address(tensor)] = DeviceState(
                name=tensor.name,
                offset=tensor.address,
                elements=int(np.prod(tensor.shape)),
                element_bytes=tensor.dtype.itemsize,
                start=tensor.zero_point,
            )
    return tuple(states[address] for address in sorted(states))


def _contexts(
    source: Path, inputs: Sequence[CompiledTensor], outputs: Sequence[CompiledTensor]
) -> tuple[DeviceContext, ...]:
    """Return the states that go in and come out, by the names of the signature."""
    if len(inputs) == 1:
        return ()
    try:
        given, made = signature_details(source)
    except ValueError:  # a file without a signature
        return ()
    contexts: list[DeviceContext] = []
    place = 0
    for name, detail in given.items():
        if name.startswith(CONTEXT):
            renewed = made[f"{NEW_CONTEXT}{name.removeprefix(CONTEXT)}"]
            old = _named(inputs, detail["name"])
            context = _context(old, _named(outputs, renewed["name"]), place)
            contexts.append(context)
            place += context.byte_count
    return tuple(contexts)


def _context(given: CompiledTensor, made: CompiledTensor, place: int) -> DeviceContext:
    """Return the state between an input and an output, which is kept at a place."""
    return DeviceContext(
        input_offset=_address(given),
        output_offset=_address(made),
        place=place,
        elements=int(np.prod(given.shape)),
        element_bytes=given.dtype.itemsize,
        start=given.zero_point,
    )


def _named(tensors: Sequence[CompiledTensor], name: str) -> CompiledTensor:
    """Return the tensor of a name."""
    return next(tensor for tensor in tensors if tensor.name == name)
