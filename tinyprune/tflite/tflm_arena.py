"""The arena that a compiled network takes in TFLM, by TFLM's own recording allocator.

The package from PyPI has no kernel for the NPU. So its operator is replaced by one that allocates
nothing, and what it works on become inputs of the network, which are allocated as they would be.
What the real kernel asks for beside that is added. Pointers of this machine have 64 bits, so a
microcontroller takes less.
"""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tinyprune import extras
from tinyprune.errors import TinypruneError
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.engines import TFLM_PACKAGE
from tinyprune.tflite.graph import NPU_OPERATOR

_TOTAL = re.compile(rb"Arena allocation total (\d+) bytes")
_ALIGNMENT = 16
_MOST_BYTES = 1 << 28
#: The NPU's kernel keeps three numbers, and an address and a size of each of its tensors.
_KERNEL_BYTES, _BYTES_OF_TENSOR = 16, 16
_CALL_ONCE_CODE = 127  # in the old field of operator codes, for those that do not fit in


def arena_bytes(content: bytes) -> int:
    """Return the bytes of the arena of a compiled ``.tflite``, in multiples of 16.

    Raises TinypruneError where TFLM is not installed or cannot run an operator of the CPU.
    """
    extras.require(TFLM_PACKAGE, "the measurement of the arena")
    from tflite_micro.python.tflite_micro import runtime

    stand_in, kernel_bytes = _stand_in(content)
    with tempfile.TemporaryFile() as printed:
        try:
            with _errors_into(printed):
                interpreter = runtime.Interpreter.from_bytes(stand_in, arena_size=_MOST_BYTES)
                interpreter.print_allocations()
        except (RuntimeError, ValueError) as error:
            raise TinypruneError(f"TFLM cannot run the network: {_said(printed)}") from error
        printed.seek(0)
        total = _TOTAL.search(printed.read())
    if total is None:
        raise TinypruneError("TFLM does not say how large the arena is: update tflite-micro")
    count = int(total[1]) + kernel_bytes
    return -(-count // _ALIGNMENT) * _ALIGNMENT


def _stand_in(content: bytes) -> tuple[bytes, int]:
    """Return a network with the same tensors that TFLM can load, and what its kernels take more."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content)
    graph = model.subgraphs[0]
    code = schema.OperatorCodeT()
    code.builtinCode = schema.BuiltinOperator.CALL_ONCE
    code.deprecatedBuiltinCode = _CALL_ONCE_CODE
    code.version = 1
    model.operatorCodes.append(code)
    kernel_bytes = 0
    ends = [*map(int, graph.inputs)]
    for operator in graph.operators:
        if model.operatorCodes[operator.opcodeIndex].customCode == NPU_OPERATOR.encode():
            given, made = [*map(int, operator.inputs)], [*map(int, operator.outputs)]
            kernel_bytes += _KERNEL_BYTES + _BYTES_OF_TENSOR * len(given + made)
            ends += [number for number in given if not _is_constant(model, number)]
            ends += [number for number in made if not _is_known(graph, number)]
            _replace(operator, len(model.operatorCodes) - 1)
    graph.inputs = [*dict.fromkeys(ends)]
    model.subgraphs.append(_empty_graph())
    return flatbuffer.pack(model), kernel_bytes


def _replace(operator: Any, code: int) -> None:
    """Make an operator one that runs the empty graph, without inputs and outputs."""
    from ai_edge_litert import schema_py_generated as schema

    options = schema.CallOnceOptionsT()
    options.initSubgraphIndex = 1
    operator.opcodeIndex = code
    operator.builtinOptionsType = schema.BuiltinOptions.CallOnceOptions
    operator.builtinOptions = options
    operator.customOptions = None
    operator.inputs = []
    operator.outputs = []


def _empty_graph() -> Any:
    from ai_edge_litert import schema_py_generated as schema

    graph = schema.SubGraphT()
    graph.name = b"nothing"
    graph.tensors = []
    graph.inputs = []
    graph.outputs = []
    graph.operators = []
    return graph


def _is_constant(model: Any, number: int) -> bool:
    tensor = model.subgraphs[0].tensors[number]
    return model.buffers[tensor.buffer].data is not None


def _is_known(graph: Any, number: int) -> bool:
    """Return whether an output is a state, which is an input too, or comes out of the network."""
    return bool(graph.tensors[number].isVariable) or number in graph.outputs


@contextmanager
def _errors_into(file: Any) -> Iterator[None]:
    """Send what C++ prints on standard error into a file."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        os.dup2(file.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _said(file: Any) -> str:
    """Return the first line that was printed."""
    file.seek(0)
    lines = file.read().decode(errors="replace").strip().splitlines() or ["it says nothing"]
    return lines[0].rstrip(".")
