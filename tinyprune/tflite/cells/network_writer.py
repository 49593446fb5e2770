"""Tensors and operators, added to a network of the TFLite schema.

Only combinations of types are offered that both LiteRT and Vela compute correctly.
FULLY_CONNECTED from int8 to int16 is none of them: LiteRT runs it and reads int8 as uint8.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyprune.array_types import Float32Array, IntArray
from tinyprune.tflite.flatbuffer import type_name
from tinyprune.tflite.graph import UINT8_ZERO

Shape = tuple[int, ...]

_HALF_OF_INT8 = 64
#: Scale of the outputs of sigmoid and tanh in 16 bits, prescribed by TFLite.
ONE_IN_INT16 = 1 / 32768


@dataclass(frozen=True)
class Numbers:
    """The type of a quantized tensor. Attributes: dtype, scale, zero_point."""

    dtype: str
    scale: float
    zero_point: int = 0


@dataclass(frozen=True)
class Value:
    """A quantized tensor of the network, float = scale * (integer - zero_point).

    Attributes:
        index: among the tensors of the network.
        shape, dtype, scale, zero_point: its own.
    """

    index: int
    shape: Shape
    dtype: str
    scale: float
    zero_point: int

    @property
    def numbers(self) -> Numbers:
        """The type of it."""
        return Numbers(self.dtype, self.scale, self.zero_point)


#: h of a recurrent layer in 8 bits. MUL from int16 to int8 has no other steps in LiteRT.
H = Numbers("int8", 1 / 128)


def empty_model() -> Any:
    """Return a network without tensors and operators, a ``ModelT`` of the schema."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT()
    model.version = 3
    model.description = b"tinyprune"
    model.operatorCodes = []
    model.buffers = [schema.BufferT()]  # the first one is empty in every file
    graph = schema.SubGraphT()
    graph.tensors = []
    graph.operators = []
    model.subgraphs = [graph]
    return model


class NetworkWriter:
    """Adds to a ``ModelT`` of the schema, whose operators need not be in order afterwards.

    Attributes:
        model: the network.
        prefix: beginning of the names of tensors.
    """

    def __init__(self, model: Any, prefix: str) -> None:
        from ai_edge_litert import schema_py_generated

        self.model = model
        self.prefix = prefix
        self._schema = schema_py_generated
        self._graph = model.subgraphs[0]
        self._parts: dict[
            int, tuple[Value, Shape]
        ] = {}  # what it is a part of, and where it begins

    # --- tensors

    def value(self, index: int) -> Value:
        """Return a tensor that is there already."""
        tensor = self._graph.tensors[index]
        quantization = tensor.quantization
        return Value(
            index,
            tuple(int(size) for size in tensor.shape),
            type_name(tensor.type),
            float(quantization.scale[0]),
            int(quantization.zeroPoint[0]),
        )

    def tensor(self, name: str, shape: Shape, numbers: Numbers) -> Value:
        """Add a tensor that is computed or given."""
        return self._add(name, shape, numbers, None)

    def constant(self, name: str, data: npt.NDArray[Any], numbers: Numbers) -> Value:
        """Add a tensor of constant integers, of the type of ``data``."""
        return self._add(name, data.shape, numbers, data)

    def _add(
        self, name: str, shape: Shape, numbers: Numbers, data: npt.NDArray[Any] | None
    ) -> Value:
        quantization = self._schema.QuantizationParametersT()
        quantization.scale = np.array([numbers.scale], np.float32)
        quantization.zeroPoint = np.array([numbers.zero_point], np.int64)
        index = self._add_plain(name, shape, numbers.dtype, data)
        self._graph.tensors[index].quantization = quantization
        return Value(index, shape, numbers.dtype, numbers.scale, numbers.zero_point)

    def _add_plain(self, name: str, shape: Shape, dtype: str, data: npt.NDArray[Any] | None) -> int:
        tensor = self._schema.TensorT()
        tensor.name = f"{self.prefix}/{name}".encode()
        tensor.shape = np.array(shape, np.int32)
        tensor.type = getattr(self._schema.TensorType, dtype.upper())
        tensor.buffer = 0
        if data is not None:
            buffer = self._schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _integers(self, name: str, numbers: Sequence[int]) -> int:
        """A constant that says where something begins or ends; the index of its tensor."""
        return self._add_plain(name, (len(numbers),), "int32", np.array(numbers, np.int32))

    # --- operators

    def operator(
        self, name: str, inputs: Sequence[int], output: int, options: Any = None, version: int = 1
    ) -> None:
        """Add an operator by its name in the schema, on tensors by their indices."""
        schema = self._schema
        operator = schema.OperatorT()
        operator.opcodeIndex = self._code(getattr(schema.BuiltinOperator, name), version)
        operator.inputs = np.array(inputs, np.int32)
        operator.outputs = np.array([output], np.int32)
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        self._graph.operators.append(operator)

    def _code(self, builtin: int, version: int) -> int:
        for index, code in enumerate(self.model.operatorCodes):
            number = max(code.builtinCode, code.deprecatedBuiltinCode)
            if number == builtin and code.version == version:
                return index
        code = self._schema.OperatorCodeT()
        code.builtinCode = builtin
        code.deprecatedBuiltinCode = min(builtin, 127)
        code.version = version
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1

    def fully_connected(
        self, name: str, read: Value, weights: Value, bias: IntArray, made: Numbers
    ) -> Value:
        """Return ``read @ weights.T + bias``, of the shape of ``read`` but for its last axis.

        Args:
            name: of the output.
            read: uint8.
            weights: uint8 constant (outputs, inputs).
            bias: (outputs,) in units of both scales.
            made: type of the output, int16.
        """
        bias_numbers = Numbers("int32", read.scale * weights.scale)
        added = self.constant(f"{name}_bias", bias.astype(np.int32), bias_numbers)
        output = self.tensor(name, (*read.shape[:-1], weights.shape[0]), made)
        options = self._schema.FullyConnectedOptionsT()
        options.keepNumDims = True
        inputs = [read.index, weights.index, added.index]
        self.operator("FULLY_CONNECTED", inputs, output.index, options, version=5)
        return output

    def quantize(self, name: str, read: Value, made: Numbers) -> Value:
        """Return the same numbers on another grid."""
        output = self.tensor(name, read.shape, made)
        options = self._schema.QuantizeOptionsT()
        self.operator("QUANTIZE", [read.index], output.index, options, version=3)
        return output

    def as_uint8(self, name: str, read: Value) -> Value:
        """Return an int8 tensor as uint8.

        Vela 5.2 fuses a QUANTIZE with the one operator that makes what it reads, and then cuts off
        what does not fit both int8 and uint8: 0 to 127 is left. What two operators make is not
        fused, so other tensors are laid together from two parts first.
        """
        source = read
        if self._is_made_by_one(read):
            source = self._in_two_parts(name, read)
        made = self.quantize(name, source, uint8_of(read.numbers))
        return self.part(f"{name}_own", made, [0] * len(read.shape), read.shape)

    def divided(self, name: str, read: Value, divisor: float, made: Numbers) -> Value:
        """Return an int8 tensor divided by a number, in int8, made in two parts."""
        integers = np.full(read.shape, _HALF_OF_INT8, np.int8)
        inverse = Numbers("int8", 1 / (divisor * _HALF_OF_INT8))
        factor = self.constant(f"{name}_factor", integers, inverse)
        return self.multiply_to_int8(name, read, factor, made)

    def _is_made_by_one(self, value: Value) -> bool:
        """Return whether one operator computes a tensor: it is no input and not laid together."""
        builtin = self._schema.BuiltinOperator
        makers = {}
        for operator in self._graph.operators or ():
            for output in operator.outputs:
                makers[int(output)] = operator
        index = value.index
        while index in makers:
            code = self.model.operatorCodes[makers[index].opcodeIndex]
            number = max(code.builtinCode, code.deprecatedBuiltinCode)
            if number != builtin.RESHAPE:
                return number != builtin.CONCATENATION
            index = int(makers[index].inputs[0])
        return False

    def _in_two_parts(self, name: str, read: Value) -> Value:
        """Return a copy that two operators make; of a single element there are two."""
        axis = _axis_of_halves(read.shape)
        size = read.shape[axis]
        if size == 1:
            return self.joined(f"{name}_twice", [read, read], axis=axis)
        parts = [
            self.along(f"{name}_first", read, axis, 0, size // 2),
            self.along(f"{name}_second", read, axis, size // 2, size),
        ]
        return self.joined(f"{name}_copy", parts, axis=axis)

    def add(
        self, name: str, one: Value, other: Value, made: Numbers, is_positive: bool = False
    ) -> Value:
        """Return the sum, int16; ``is_positive``: of what is below zero, zero."""
        options = self._schema.AddOptionsT()
        options.potScaleInt16 = False
        options.fusedActivationFunction = self._function(is_positive)
        return self._of_two("ADD", name, (one, other), made, options, version=3)

    def subtract(self, name: str, one: Value, other: Value, made: Numbers) -> Value:
        """Return ``one - other``, int16."""
        options = self._schema.SubOptionsT()
        options.potScaleInt16 = False
        return self._of_two("SUB", name, (one, other), made, options, version=5)

    def multiply(
        self, name: str, one: Value, other: Value, made: Numbers, is_positive: bool = False
    ) -> Value:
        """Return the product of two int16 tensors, in int16 or int8, or of two int8 ones.

        Both have one shape; where the product has 16 bits, the other one may be a single number.
        ``is_positive``: of what is below zero, zero.
        """
        is_spread = one.shape != other.shape
        assert not (is_spread and made.dtype == "int8"), (
            "LiteRT aborts where it has to spread one of them"
        )
        options = self._schema.MulOptionsT()
        options.fusedActivationFunction = self._function(is_positive)
        return self._of_two("MUL", name, (one, other), made, options, version=5)

    def _function(self, is_positive: bool) -> int:
        """The function that an operator has fused: a ReLU or none."""
        functions = self._schema.ActivationFunctionType
        return int(functions.RELU if is_positive else functions.NONE)

    def multiply_to_int8(self, name: str, one: Value, other: Value, made: Numbers) -> Value:
        """Return the product of two tensors of one type in int8, made in two parts.

        :meth:`as_uint8` says why. Of int16 tensors LiteRT makes 1/2**23 of the product of the
        integers, whatever the grid ``made`` says: it has to be the one that this is right for, as
        :data:`H` is where both tensors end at one.
        """
        axis = _axis_of_halves(one.shape)
        size = one.shape[axis]
        if size == 1:
            return self.multiply(name, one, other, made)
        parts = []
        for number, (first, last) in enumerate(((0, size // 2), (size // 2, size))):
            part = f"{name}_{number}"
            left = self.along(f"{part}_left", one, axis, first, last)
            right = self.along(f"{part}_right", other, axis, first, last)
            parts.append(self.multiply(part, left, right, made))
        return self.joined(name, parts, axis=axis)

    def maximum(self, name: str, one: Value, other: npt.NDArray[Any]) -> Value:
        """Return the larger of a tensor and a constant, element by element, in its type."""
        bound = self.constant(f"{name}_bound", other, one.numbers)
        options = self._schema.MaximumMinimumOptionsT()
        return self._of_two("MAXIMUM", name, (one, bound), one.numbers, options, version=2)

    def copy(self, name: str, read: Value) -> Value:
        """Return a copy: the larger of a number and the least one.

        Vela's own copies, of a CONCATENATION of parts or a RESHAPE of what others read too, cost
        five times as much.
        """
        least = np.iinfo(read.dtype).min
        return self.maximum(name, read, np.full([1] * len(read.shape), least, read.dtype))

    def _of_two(
        self,
        operator: str,
        name: str,
        read: tuple[Value, Value],
        made: Numbers,
        options: Any,
        version: int,
    ) -> Value:
        output = self.tensor(name, read[0].shape, made)
        self.operator(operator, [value.index for value in read], output.index, options, version)
        return output

    def sigmoid(self, name: str, read: Value) -> Value:
        """Return 1 / (1 + exp(-x)), int16."""
        return self._of_one("LOGISTIC", name, read)

    def tanh(self, name: str, read: Value) -> Value:
        """Return the hyperbolic tangent, int16."""
        return self._of_one("TANH", name, read)

    def _of_one(self, operator: str, name: str, read: Value) -> Value:
        output = self.tensor(name, read.shape, Numbers("int16", ONE_IN_INT16))
        self.operator(operator, [read.index], output.index, version=3)
        return output

    def part(self, name: str, read: Value, begin: Sequence[int], end: Sequence[int]) -> Value:
        """Return the elements from ``begin`` to before ``end``, a number for each axis.

        A part of a part is one of the whole: Vela copies where parts follow each other.
        """
        shape = tuple(int(last - first) for first, last in zip(begin, end, strict=True))
        if shape == read.shape:
            return read
        if read.index in self._parts:
            whole, offset = self._parts[read.index]
            begin = [first + more for first, more in zip(begin, offset, strict=True)]
            end = [last + more for last, more in zip(end, offset, strict=True)]
            return self.part(name, whole, begin, end)
        output = self.tensor(name, shape, read.numbers)
        inputs = [
            read.index,
            self._integers(f"{name}_begin", begin),
            self._integers(f"{name}_end", end),
            self._integers(f"{name}_step", [1] * len(shape)),
        ]
        options = self._schema.StridedSliceOptionsT()
        self.operator("STRIDED_SLICE", inputs, output.index, options, version=4)
        self._parts[output.index] = (read, tuple(begin))
        return output

    def along(self, name: str, read: Value, axis: int, first: int, last: int) -> Value:
        """Return what lies at ``first`` to ``last - 1`` of an axis."""
        begin, end = [0] * len(read.shape), list(read.shape)
        begin[axis], end[axis] = first, last
        return self.part(name, read, begin, end)

    def channels(self, name: str, read: Value, first: int, last: int) -> Value:
        """Return channels ``first`` to ``last - 1`` of every position."""
        return self.along(name, read, -1, first, last)

    def joined(self, name: str, read: Sequence[Value], axis: int) -> Value:
        """Return tensors of one grid laid along an axis."""
        if len(read) == 1:
            return read[0]
        shape = list(read[0].shape)
        shape[axis] = sum(value.shape[axis] for value in read)
        output = self.tensor(name, tuple(shape), read[0].numbers)
        options = self._schema.ConcatenationOptionsT()
        options.axis = axis % len(shape)
        indices = [value.index for value in read]
        self.operator("CONCATENATION", indices, output.index, options, version=2)
        return output

    def reshape(self, name: str, read: Value, shape: Shape) -> Value:
        """Return a tensor in another shape."""
        if shape == read.shape:
            return read
        output = self.tensor(name, shape, read.numbers)
        self.reshaped(read, output)
        return output

    def reshaped(self, read: Value, output: Value) -> None:
        """Let a tensor that is there be another one in its own shape."""
        options = self._schema.ReshapeOptionsT()
        options.newShape = np.array(output.shape, np.int32)
        shape = self._integers("output_shape", output.shape)
        self.operator("RESHAPE", [read.index, shape], output.index, options)


def _axis_of_halves(shape: Shape) -> int:
    """Return the first axis that can be divided, so that the halves lie one after the other."""
    for axis, size in enumerate(shape):
        if size > 1:
            return axis
    return len(shape) - 1


def uint8_of(numbers: Numbers) -> Numbers:
    """Return an int8 grid as uint8: the same steps."""
    return Numbers("uint8", numbers.scale, numbers.zero_point + UINT8_ZERO)


def uint8_matrix(integers: npt.NDArray[np.int8]) -> npt.NDArray[np.uint8]:
    """Return int8 weights as uint8 with zero point 128."""
    return (integers.astype(np.int16) + UINT8_ZERO).astype(np.uint8)


def int32_bias(bias: Float32Array, scale: float) -> IntArray:
    """Return a bias in units of a scale; what is too large for 31 bits is cut."""
    limit = 2**30
    return np.clip(np.round(bias.astype(np.float64) / scale), -limit, limit).astype(np.int64)
