"""Reading a ``.tflite`` file: operators and tensors, as far as tinyprune looks at them. Nothing is run.

Only the schema of ``ai_edge_litert`` is needed, and only when a file is read.
"""

import hashlib
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyprune.errors import TinypruneError, UsageError

if TYPE_CHECKING:
    import numpy as np

#: Custom operator in which Vela puts everything that runs on the NPU.
NPU_OPERATOR = "ethos-u"

_IDENTIFIER = b"TFL3"
_EXPORT_HINT = "export it as int8 first (tinyprune export)"


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


@dataclass(frozen=True, eq=False)
class Graph:
    """A network: operators in order of execution (bodies of loops and branches at the end), its inputs and outputs."""

    operators: tuple[Operator, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def read(path: Path) -> Graph:
    """The network in a ``.tflite`` file. Raises UsageError if the file is missing, no TFLite, or cut off."""
    return parse(path, load(path))


def load(path: Path) -> bytes:
    """The bytes of a ``.tflite`` file. Raises UsageError if it is missing or no TFLite."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder: expected a .tflite file")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist: expected a .tflite file") from None
    except OSError as error:
        raise TinypruneError(f"cannot read {path}: {error.strerror}") from error
    if content[4:8] != _IDENTIFIER:
        raise UsageError(
            f"{path} is not a TFLite file (no {_IDENTIFIER.decode()} in it): expected one from `tinyprune export`"
        )
    return content


def sha256(path: Path) -> str:
    """SHA-256 of a ``.tflite`` file, hexadecimal. Raises as :func:`load` does."""
    return hashlib.sha256(load(path)).hexdigest()


def parse(path: Path, content: bytes | bytearray) -> Graph:
    """The network in the content of ``path``. Raises UsageError if it is cut off or broken.

    The data of its tensors are views of ``content``: in a bytearray, writing to them edits the
        file's bytes in place.
    """
    try:
        return _graph(content)
    # What a broken offset leads to in the flatbuffers package: it reads without checking bounds.
    except (
        struct.error,
        IndexError,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        OverflowError,
    ) as error:
        raise UsageError(
            f"{path} is a damaged TFLite file: it ends early or its content is broken"
        ) from error


def float_operators(graph: Graph) -> list[str]:
    """Operators that read or make floats, each with its place in the network where that is known, once each."""
    found: dict[str, None] = {}
    for operator in graph.operators:
        tensors = [tensor for tensor in (*operator.inputs, *operator.outputs) if tensor is not None]
        if operator.name not in ("QUANTIZE", "DEQUANTIZE") and any(map(_is_float, tensors)):
            place, _, last = operator.outputs[0].name.partition(";")[0].rpartition("/")
            found[f"{operator.name} of {place}" if place and last else operator.name] = None
    return list(found)


def require_int8(path: Path, graph: Graph) -> None:
    """Raise UsageError if a network cannot go to Vela: float at its inputs or outputs, or compiled by Vela already.

    Operators in the middle may work on other types: Vela leaves to the CPU what the NPU cannot do.
    """
    if any(operator.name == NPU_OPERATOR for operator in graph.operators):
        raise UsageError(
            f"{path} is already compiled by Vela: give the .tflite that it was compiled from"
        )
    for kind, tensors in (("input", graph.inputs), ("output", graph.outputs)):
        for tensor in tensors:
            if _is_float(tensor):
                raise UsageError(
                    f"{path} is not an int8 network: {kind} '{tensor.name}' is {tensor.dtype}"
                    f"{_float_operator(graph)}; {_EXPORT_HINT}"
                )


def constants(operators: tuple[Operator, ...]) -> Iterator[Tensor]:
    """The constant tensors that operators read, each stored buffer once."""
    seen = set()
    for operator in operators:
        for tensor in operator.inputs:
            if tensor is not None and tensor.data is not None and tensor.buffer not in seen:
                seen.add(tensor.buffer)
                yield tensor


def place(operator: Operator) -> str:
    """Where an operator stood in the network: ``block/conv`` of an output ``net/block/conv/Relu;net/...``."""
    name = operator.outputs[0].name.partition(";")[0]
    parts = name.split("/")
    return "/".join(parts[1:-1]) or name


def _is_float(tensor: Tensor) -> bool:
    return tensor.dtype.startswith(("float", "bfloat"))


def _float_operator(graph: Graph) -> str:
    for operator in graph.operators:
        if any(
            tensor is not None and _is_float(tensor)
            for tensor in (*operator.inputs, *operator.outputs)
        ):
            return f", first float operator {operator.name}"
    return ""


def _graph(content: bytes | bytearray) -> Graph:
    from ai_edge_litert import schema_py_generated as schema

    # A root that points outside makes no error below: flatbuffers takes what is not there for
    # defaults.
    if int.from_bytes(content[:4], "little") >= len(content):
        raise ValueError("the root table is outside the file")
    model = schema.ModelT.InitFromPackedBuf(content)
    if not model.subgraphs:
        raise ValueError("no subgraph")
    constant = [_bytes(content, buffer) for buffer in _items(model.buffers)]
    operators: list[Operator] = []
    boundaries = []
    for subgraph in model.subgraphs:
        tensors = [_tensor(tensor, constant) for tensor in _items(subgraph.tensors)]
        operators += [
            _operator(operator, tensors, model.operatorCodes)
            for operator in _items(subgraph.operators)
        ]
        boundaries.append((_pick(subgraph.inputs, tensors), _pick(subgraph.outputs, tensors)))
    return Graph(tuple(operators), *boundaries[0])


def _operator(operator: Any, tensors: list[Tensor], codes: Any) -> Operator:
    code = codes[operator.opcodeIndex]
    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = _operator_names()[builtin]
    return Operator(
        name=code.customCode.decode() if name == "CUSTOM" else name,
        inputs=tuple(None if index < 0 else tensors[index] for index in _items(operator.inputs)),
        outputs=_pick(operator.outputs, tensors),
        options=vars(operator.builtinOptions) if operator.builtinOptions is not None else {},
    )


def _bytes(content: bytes | bytearray, buffer: Any) -> Any:
    """The data of a buffer; networks above 2 GB keep them behind the flatbuffer (1 stands for: nowhere yet)."""
    if buffer.offset <= 1:
        return buffer.data
    if buffer.offset + buffer.size > len(content):
        raise ValueError("a buffer ends outside the file")
    import numpy as np

    return np.frombuffer(content, np.uint8)[buffer.offset : buffer.offset + buffer.size]


def _tensor(tensor: Any, constant: list[Any]) -> Tensor:
    import numpy as np

    shape = tuple(int(size) for size in _items(tensor.shape))
    quantization = tensor.quantization
    scale = quantization.scale if quantization is not None else None
    zero_point = quantization.zeroPoint if quantization is not None else None
    dtype = _type_names()[tensor.type]
    return Tensor(
        name=(tensor.name or b"").decode(errors="replace"),
        shape=shape,
        dtype=dtype,
        scale=np.array(_items(scale), np.float32),
        zero_point=np.array(_items(zero_point), np.int64),
        data=_values(constant[tensor.buffer], dtype, shape if tensor.sparsity is None else None),
        buffer=int(tensor.buffer),
        axis=int(quantization.quantizedDimension) if quantization is not None else 0,
    )


def _values(data: Any, dtype: str, shape: tuple[int, ...] | None) -> "np.ndarray[Any, Any] | None":
    import numpy as np

    if data is None or len(data) == 0:
        return None
    raw = np.asarray(data, np.uint8)
    if shape is None or dtype not in _NUMPY_TYPES:
        return raw
    return raw.view(np.dtype(dtype)).reshape(shape)


_NUMPY_TYPES = {
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "bool", "complex64", "complex128"),
}


def _pick(indices: Any, tensors: list[Tensor]) -> tuple[Tensor, ...]:
    return tuple(tensors[index] for index in _items(indices))


def _items(vector: Any) -> Any:
    """A flatbuffer vector; one that is left out is empty."""
    return () if vector is None else vector


@cache
def _type_names() -> dict[int, str]:
    from ai_edge_litert.schema_py_generated import TensorType

    return {
        value: name.lower() for name, value in vars(TensorType).items() if isinstance(value, int)
    }


@cache
def _operator_names() -> dict[int, str]:
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    return {value: name for name, value in vars(BuiltinOperator).items() if isinstance(value, int)}
