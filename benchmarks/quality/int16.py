"""The last operators of an int8 ``.tflite`` with 16-bit activations: what a 16-bit mask would be on the device.

The weights stay the same bytes. A QUANTIZE in front keeps every value of the int8 tensor that it
reads (same scale, zero point 0), so the first matrix product has the accumulators that it had: only
what is made of them is finer.
Vela 5.2 sees that too and lets the NPU read the int8 tensor. The bias stays in 32 bits: with the
    usual 64, Vela crashes
on that for Ethos-U85.
"""

from typing import Any

import numpy as np

from benchmarks.shared.report import Unavailable

SIGMOID_SCALE = 1 / 32768  # what TFLite asks of a 16-bit LOGISTIC
ABLE = ("FULLY_CONNECTED", "LOGISTIC")
QUANTIZE_VERSION = 3


def widen(content: bytes, count: int) -> bytes:
    """The same network with its last ``count`` operators in 16 bits, and an int16 output.

    Raises Unavailable if they are not a chain of FULLY_CONNECTED and LOGISTIC to the network's only
    output.
    """
    schema, model = _model(content)
    graph, chain = model.subgraphs[0], _chain(schema, model, count)
    before = [_scale(graph.tensors[operator.inputs[0]]) for operator in chain]
    _read(chain[0], 0, _quantize(schema, model, chain[0].inputs[0]))
    graph.operators.insert(-count, graph.operators.pop())  # what _quantize added at the end
    for operator in chain:
        made = graph.tensors[operator.outputs[0]]
        _to_int16(
            schema, made, _largest(made) / 32767 if len(operator.inputs) > 1 else SIGMOID_SCALE
        )
    for operator, scale in zip(chain, before, strict=True):
        if len(operator.inputs) > 1:
            operator.builtinOptions.quantizedBiasType = schema.TensorType.INT32
            finer = scale / _scale(graph.tensors[operator.inputs[0]])
            _read(operator, 2, _bias(schema, model, operator.inputs[2], finer))
    return _packed(model)


def cut(content: bytes, count: int) -> bytes:
    """The network without its last ``count`` operators: its output is the int8 tensor that the first of them reads."""
    schema, model = _model(content)
    graph, boundary = model.subgraphs[0], _chain(schema, model, count)[0].inputs[0]
    graph.operators, graph.outputs = graph.operators[:-count], np.array([boundary], np.int32)
    for signature in model.signatureDefs or ():
        signature.outputs[0].tensorIndex = boundary
    return _packed(model)


def _model(content: bytes) -> tuple[Any, Any]:
    from ai_edge_litert import schema_py_generated as schema

    return schema, schema.ModelT.InitFromPackedBuf(content)


def _packed(model: Any) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _chain(schema: Any, model: Any, count: int) -> list[Any]:
    """The last operators, each of which reads what the one before makes."""
    graph, able = model.subgraphs[0], {getattr(schema.BuiltinOperator, name) for name in ABLE}
    chain = graph.operators[-count:]
    codes = {model.operatorCodes[operator.opcodeIndex].builtinCode for operator in chain}
    reads = [*(operator.inputs[0] for operator in chain[1:]), *graph.outputs]
    if not codes <= able or [operator.outputs[0] for operator in chain] != reads:
        raise Unavailable(
            f"the last {count} operators are no chain of {' and '.join(ABLE)} to one output"
        )
    return chain


def _read(operator: Any, position: int, tensor: int) -> None:
    operator.inputs = operator.inputs.copy()  # what flatbuffers unpacks is a view of the file
    operator.inputs[position] = tensor


def _quantize(schema: Any, model: Any, index: int) -> int:
    """Add an operator that makes an int8 tensor int16 without changing a value; returns what it makes."""
    graph, code, operator = model.subgraphs[0], schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    code.version, operator.opcodeIndex = QUANTIZE_VERSION, len(model.operatorCodes)
    model.operatorCodes.append(code)
    made = _like(schema, model, index, b"_int16")
    _to_int16(schema, graph.tensors[made], _scale(graph.tensors[index]))
    operator.inputs, operator.outputs = np.array([index], np.int32), np.array([made], np.int32)
    operator.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
    operator.builtinOptions = schema.QuantizeOptionsT()
    graph.operators.append(operator)
    return made


def _bias(schema: Any, model: Any, index: int, finer: float) -> int:
    """A bias for an input whose scale is that many times finer; returns its tensor."""
    old, buffer = model.subgraphs[0].tensors[index], schema.BufferT()
    if finer == 1:
        return index
    made = _like(schema, model, index, b"_finer")
    tensor = model.subgraphs[0].tensors[made]
    tensor.type, tensor.buffer = old.type, len(model.buffers)
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale = old.quantization.scale / np.float32(finer)
    tensor.quantization.zeroPoint = old.quantization.zeroPoint
    integers = np.asarray(model.buffers[old.buffer].data, np.uint8).view(np.int32)
    buffer.data = np.round(integers * finer).astype(np.int32).view(np.uint8)
    model.buffers.append(buffer)
    return made


def _like(schema: Any, model: Any, index: int, suffix: bytes) -> int:
    """Add a tensor of the same shape; returns its number."""
    tensors, made = model.subgraphs[0].tensors, schema.TensorT()
    old = tensors[index]
    made.shape, made.shapeSignature, made.hasRank, made.name = (
        old.shape,
        old.shapeSignature,
        old.hasRank,
        old.name,
    )
    made.name += suffix
    tensors.append(made)
    return len(tensors) - 1


def _to_int16(schema: Any, tensor: Any, scale: float) -> None:
    tensor.type, tensor.quantization = schema.TensorType.INT16, schema.QuantizationParametersT()
    tensor.quantization.scale = np.array([scale], np.float32)
    tensor.quantization.zeroPoint = np.array([0], np.int64)


def _scale(tensor: Any) -> float:
    return float(tensor.quantization.scale[0])


def _largest(tensor: Any) -> float:
    """The largest magnitude that an int8 tensor can hold: in 16 bits it covers the same range."""
    zero_point = int(tensor.quantization.zeroPoint[0])
    return _scale(tensor) * max(zero_point + 128, 127 - zero_point)
