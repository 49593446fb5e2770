"""A network of TFLite: its operators and tensors, as far as tinyprune looks at them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

#: Custom operator in which Vela puts everything that runs on the NPU.
NPU_OPERATOR = "ethos-u"

#: Zero point of uint8 tensors that hold int8 numbers: the same steps, 128 further up.
UINT8_ZERO = 128

_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")  # operators that may read or make floats


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor of a network.

    Attributes:
        name: as the converter called it.
        shape: its shape.
        dtype: "int8", "int32", "float32", ... as TFLite calls it, in lower case.
        scale, zero_point: float = scale * (integer - zero_point), one pair per tensor or per
            channel; empty without quantization.
        data: constant values in the tensor's shape, None for a tensor that is computed or holds
            state. Types that NumPy does not have (int4, strings, compressed sparse tensors) stay
            flat bytes.
        buffer: number of the buffer that holds the data; tensors that share it are stored once.
        axis: the axis that scale and zero_point run along where there is more than one of them.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: "np.ndarray[Any, Any]"
    zero_point: "np.ndarray[Any, Any]"
    data: "np.ndarray[Any, Any] | None"
    buffer: int
    axis: int = 0

    @property
    def is_constant(self) -> bool:
        """True for values that are stored in the file."""
        return self.data is not None

    @property
    def values(self) -> "np.ndarray[Any, Any]":
        """The data of a constant tensor."""
        assert self.data is not None
        return self.data

    @property
    def is_float(self) -> bool:
        """True for floats of any precision."""
        return self.dtype.startswith(("float", "bfloat"))

    @property
    def integer_of_zero(self) -> int:
        """The integer that stands for 0, of the first channel where there are several."""
        if len(self.zero_point):
            return int(self.zero_point[0])
        return 0


@dataclass(frozen=True, eq=False)
class Operator:
    """One operator.

    Attributes:
        name: "CONV_2D"; a custom operator's own name.
        inputs: tensors that it reads, None for one that is left out.
        outputs: tensors that it makes.
        options: the settings of a built-in operator, named as in the schema ("adjY").
    """

    name: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def given_inputs(self) -> tuple[Tensor, ...]:
        """The inputs that are not left out."""
        return tuple(filter(None, self.inputs))

    @property
    def constants(self) -> tuple[Tensor, ...]:
        """The inputs that are stored in the file."""
        return tuple(tensor for tensor in self.given_inputs if tensor.is_constant)

    @property
    def has_floats(self) -> bool:
        """True if it reads or makes floats."""
        tensors = self.given_inputs + self.outputs
        return any(tensor.is_float for tensor in tensors)

    def constant(self, number: int) -> Tensor | None:
        """Return an input that is stored in the file; None where there is none of this number."""
        if number >= len(self.inputs):
            return None
        tensor = self.inputs[number]
        if tensor is None or not tensor.is_constant:
            return None
        return tensor

    @property
    def output_name(self) -> str:
        """The name of its output, the first one where the converter joined several."""
        name, _, _ = self.outputs[0].name.partition(";")
        return name

    @property
    def place(self) -> str:
        """Its place in the network: ``block/conv`` of an output ``net/block/conv/Relu;net/...``."""
        parts = self.output_name.split("/")
        return "/".join(parts[1:-1]) or self.output_name


@dataclass(frozen=True, eq=False)
class Graph:
    """A network.

    Attributes:
        operators: in order of execution; bodies of loops and branches at the end.
        inputs, outputs: of the whole network.
    """

    operators: tuple[Operator, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def conversions(self) -> tuple[Operator, ...]:
        """The operators at its ends that make integers of float inputs, floats of its outputs."""
        ends = {id(tensor) for tensor in (*self.inputs, *self.outputs) if tensor.is_float}
        found = []
        for operator in self.operators:
            outside = operator.inputs if operator.name == "QUANTIZE" else operator.outputs
            if operator.name in _CONVERSIONS and ends.intersection(map(id, outside)):
                found.append(operator)
        return tuple(found)

    @property
    def converted_ends(self) -> set[int]:
        """Ids of the float inputs and outputs that nothing but a conversion reads or makes."""
        conversions = self.conversions
        converted: set[int] = set()
        others: set[int] = set()
        for operator in self.operators:
            tensors = converted if operator in conversions else others
            tensors.update(map(id, operator.given_inputs + operator.outputs))
        return converted - others


def float_operators(graph: Graph) -> list[str]:
    """Operators that read or make floats, each with its place where that is known, once each."""
    names: dict[str, None] = {}
    for operator in graph.operators:
        if operator.name in _CONVERSIONS or not operator.has_floats:
            continue
        name = operator.name
        place, _, last = operator.output_name.rpartition("/")
        if place and last:
            name = f"{operator.name} of {place}"
        names[name] = None
    return list(names)


def constants(operators: Iterable[Operator]) -> Iterator[Tensor]:
    """The constant tensors that operators read, each stored buffer once."""
    by_buffer: dict[int, Tensor] = {}
    for operator in operators:
        for tensor in operator.constants:
            by_buffer.setdefault(tensor.buffer, tensor)
    return iter(by_buffer.values())
