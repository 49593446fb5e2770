"""Files of TFLite, read into a :class:`Graph` and written. Nothing is run.

Only the schema of ``ai_edge_litert`` is needed, and only when a file is read.
"""

import hashlib
import struct
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyprune.errors import UsageError
from tinyprune.storage.reading import LARGEST_NETWORK, read_bytes
from tinyprune.tflite import validity
from tinyprune.tflite.graph import NPU_OPERATOR, Graph, Operator, Tensor
from tinyprune.tflite.tables import check_counts
from tinyprune.tflite.validity import InvalidNetwork

if TYPE_CHECKING:
    import numpy as np

#: Number of an input that is left out.
LEFT_OUT = -1
#: Bytes 4 to 7 of every ``.tflite`` file.
IDENTIFIER = b"TFL3"

_NUMPY_TYPES = frozenset(
    [
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float16",
        "float32",
        "float64",
        "bool",
        "complex64",
        "complex128",
    ]
)


@dataclass(frozen=True, eq=False)
class ParsedFile:
    """A ``.tflite`` file in memory, read and parsed once.

    Attributes:
        path: where it is, for messages.
        content: its bytes.
        graph: the network in it.
    """

    path: Path
    content: bytes
    graph: Graph

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the content, hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


def read_file(path: Path) -> ParsedFile:
    """Read a ``.tflite`` file. Raises UsageError if it is missing, no TFLite, or cut off."""
    content = load(path)
    return ParsedFile(path, content, parse(path, content))


def read(path: Path) -> Graph:
    """Return the network in a ``.tflite`` file. Raises what :func:`read_file` does."""
    return parse(path, load(path))


def load(path: Path) -> bytes:
    """Return the bytes of a ``.tflite`` file. Raises UsageError if it is missing or no TFLite."""
    content = read_bytes(path, LARGEST_NETWORK, "expected a .tflite file")
    if content[4:8] != IDENTIFIER:
        raise UsageError(
            f"{path} is not a TFLite file (no {IDENTIFIER.decode()} in it): "
            "expected one from `tinyprune export`"
        )
    return content


def parse(path: Path, content: bytes | bytearray) -> Graph:
    """Return the network in the content of ``path``.

    The data of its tensors are views of ``content``: in a bytearray, writing to them edits the
    file's bytes in place.

    Raises UsageError if it is broken, or if it is no network that could be run (``validity.py``).
    """
    try:
        return _graph(content)
    except InvalidNetwork as error:
        raise UsageError(f"{path} is no valid network: {error}") from error
    # A broken offset leads to these in the flatbuffers package: it reads without checking bounds.
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


def require_int8(path: Path, graph: Graph) -> None:
    """Raise UsageError if a network cannot go to Vela.

    It cannot if it computes on float inputs or makes float outputs, or is compiled by Vela already.
    Float inputs that are only quantized, and float outputs that are only dequantized, are left to
    the CPU. Operators in the middle may work on other types too.
    """
    if any(operator.name == NPU_OPERATOR for operator in graph.operators):
        raise UsageError(
            f"{path} is already compiled by Vela: give the .tflite that it was compiled from"
        )
    converted = graph.converted_ends
    for end, tensors in (("input", graph.inputs), ("output", graph.outputs)):
        for tensor in tensors:
            if tensor.is_float and id(tensor) not in converted:
                raise UsageError(
                    f"{path} is not an int8 network: {end} '{tensor.name}' is {tensor.dtype}"
                    f"{_first_float_operator(graph)}; "
                    "export it as int8 first (tinyprune export)"
                )


def _first_float_operator(graph: Graph) -> str:
    for operator in graph.operators:
        if operator.has_floats:
            return f", first float operator {operator.name}"
    return ""


def pack(model: Any) -> bytes:
    """Return the bytes of a ``ModelT`` of the schema."""
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def _graph(content: bytes | bytearray) -> Graph:
    from ai_edge_litert import schema_py_generated as schema

    # A root that points outside makes no error below: flatbuffers takes what is not there for
    # defaults.
    if int.from_bytes(content[:4], "little") >= len(content):
        raise ValueError("the root table is outside the file")
    check_counts(schema.Model.GetRootAs(content), len(content))
    model = schema.ModelT.InitFromPackedBuf(content)
    if not model.subgraphs:
        raise ValueError("no subgraph")
    buffers = [_bytes(content, buffer) for buffer in _items(model.buffers)]
    graphs = [_subgraph(subgraph, buffers, model.operatorCodes) for subgraph in model.subgraphs]
    validity.check_ends((*graphs[0].inputs, *graphs[0].outputs))
    validity.check_calls([graph.operators for graph in graphs])
    operators = tuple(chain.from_iterable(graph.operators for graph in graphs))
    return Graph(operators, graphs[0].inputs, graphs[0].outputs)


def _subgraph(subgraph: Any, buffers: list[Any], codes: Any) -> Graph:
    """Return one subgraph. Raises InvalidNetwork, or what a broken file leads to."""
    raw = _items(subgraph.tensors)
    tensors = [_tensor(tensor, buffers) for tensor in raw]
    for tensor in tensors:
        validity.check_tensor(tensor)
    validity.check_sizes(tensors)
    operators = [_operator(operator, tensors, codes) for operator in _items(subgraph.operators)]
    for operator in operators:
        validity.check_operator(operator)
    inputs = _pick(subgraph.inputs, tensors)
    outputs = _pick(subgraph.outputs, tensors)
    states = [tensor for tensor, each in zip(tensors, raw, strict=True) if each.isVariable]
    validity.check_order(operators, inputs, states)
    return Graph(tuple(operators), inputs, outputs)


def _operator(operator: Any, tensors: list[Tensor], codes: Any) -> Operator:
    code = codes[operator.opcodeIndex]
    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = _operator_names()[builtin]
    if name == "CUSTOM":
        name = code.customCode.decode()
    options = {}
    if operator.builtinOptions is not None:
        options = vars(operator.builtinOptions)
    inputs = []
    for index in _items(operator.inputs):
        inputs.append(None if index == LEFT_OUT else _at(tensors, index))
    return Operator(
        name=name,
        inputs=tuple(inputs),
        outputs=_pick(operator.outputs, tensors),
        options=options,
    )


def _bytes(content: bytes | bytearray, buffer: Any) -> Any:
    """Return the data of a buffer; networks above 2 GB keep them behind the flatbuffer."""
    if buffer.offset <= 1:  # 1 stands for: nowhere yet
        return buffer.data
    if buffer.offset + buffer.size > len(content):
        raise ValueError("a buffer ends outside the file")
    import numpy as np

    return np.frombuffer(content, np.uint8)[buffer.offset : buffer.offset + buffer.size]


def _tensor(tensor: Any, buffers: list[Any]) -> Tensor:
    import numpy as np

    shape = tuple(int(size) for size in _items(tensor.shape))
    dtype = _type_names()[tensor.type]
    is_plain = tensor.sparsity is None and dtype in _NUMPY_TYPES
    scale = None
    zero_point = None
    axis = 0
    if tensor.quantization is not None:
        scale = tensor.quantization.scale
        zero_point = tensor.quantization.zeroPoint
        axis = int(tensor.quantization.quantizedDimension)
    return Tensor(
        name=bytes(_items(tensor.name)).decode(errors="replace"),
        shape=shape,
        dtype=dtype,
        scale=np.array(_items(scale), np.float32),
        zero_point=np.array(_items(zero_point), np.int64),
        data=_values(buffers[tensor.buffer], dtype, shape if is_plain else None),
        buffer=int(tensor.buffer),
        axis=axis,
    )


def _values(data: Any, dtype: str, shape: tuple[int, ...] | None) -> "np.ndarray[Any, Any] | None":
    """Return constant values; without a shape they stay flat bytes."""
    import numpy as np

    raw = np.asarray(_items(data), np.uint8)
    if len(raw) == 0:
        return None
    if shape is None:
        return raw
    return raw.view(np.dtype(dtype)).reshape(shape)


def _pick(indices: Any, tensors: list[Tensor]) -> tuple[Tensor, ...]:
    return tuple(_at(tensors, index) for index in _items(indices))


def _at(tensors: list[Tensor], index: int) -> Tensor:
    """Return the tensor of a number. Raises InvalidNetwork where there is none."""
    if not 0 <= index < len(tensors):
        raise InvalidNetwork(f"it names tensor {index} of {len(tensors)}")
    return tensors[index]


def _items(vector: Any) -> Any:
    """Return a vector of the flatbuffer; one that is left out is empty."""
    if vector is None:
        return ()
    return vector


def type_name(number: int) -> str:
    """Return the name of a type of the schema, e.g. "int8"."""
    return _type_names()[number]


def operator_name(number: int) -> str:
    """Return the name of a built-in operator of the schema, e.g. "CONV_2D"."""
    return _operator_names()[number]


@cache
def _type_names() -> dict[int, str]:
    from ai_edge_litert.schema_py_generated import TensorType

    return {number: name.lower() for number, name in _constants(TensorType).items()}


@cache
def _operator_names() -> dict[int, str]:
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    return _constants(BuiltinOperator)


def _constants(enumeration: type) -> dict[int, str]:
    """Return the names of an enumeration of the schema by their numbers."""
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}
