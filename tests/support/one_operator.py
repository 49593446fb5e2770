"""Files of one FULLY_CONNECTED or CONV_2D with a given int8 kernel, made without a converter."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinyprune.tflite.cells.network_writer import NetworkWriter, Numbers, uint8_matrix
from tinyprune.tflite.flatbuffer import pack

READ, MADE = Numbers("int8", 0.05, 3), Numbers("int8", 0.4, -20)
WIDE_READ, WIDE_MADE = Numbers("uint8", 1 / 128, 128), Numbers("int16", 16 / 32768)


def with_blocks(shape: tuple[int, ...], rows: int, columns: int, live: float, seed: int = 0):
    """An int8 kernel (spatial..., inputs, outputs) of which some blocks are zero."""
    rng = np.random.default_rng(seed)
    inputs, outputs = shape[-2:]
    keep = rng.random((-(-inputs // rows), -(-outputs // columns))) < live
    mask = np.repeat(np.repeat(keep, rows, 0), columns, 1)[:inputs, :outputs]
    return (rng.integers(-127, 128, shape) * mask).astype(np.int8)


def one_operator(kernel: np.ndarray, wide: bool = False) -> bytes:
    """The file of an operator with a kernel (inputs, outputs) or (rows, columns, inputs, outputs).

    A convolution reads 6 x 5 positions. ``wide``: a product of recurrent cells, uint8 to int16.
    """
    model = schema.ModelT()
    model.version = 3
    model.operatorCodes = []
    model.buffers = [schema.BufferT()]
    graph = schema.SubGraphT()
    graph.tensors, graph.operators = [], []
    model.subgraphs = [graph]
    writer = NetworkWriter(model, "net")
    inputs, outputs = kernel.shape[-2:]
    positions = (1, 6, 5) if kernel.ndim == 4 else (1,)
    read = writer.tensor("read", (*positions, inputs), WIDE_READ if wide else READ)
    made = writer.tensor("made", (*positions, outputs), WIDE_MADE if wide else MADE)
    weights = np.moveaxis(kernel, -1, 0)  # outputs first, as TFLite has it
    rng = np.random.default_rng(5)
    bias = rng.integers(-20000, 20000, outputs).astype(np.int32)
    if wide:
        data = writer.constant("weights", uint8_matrix(weights), Numbers("uint8", 0.01, 128))
        added = writer.constant("bias", bias, Numbers("int32", 0.01 / 128))
    else:
        data = writer.constant("weights", np.ascontiguousarray(weights), Numbers("int8", 0.01))
        added = writer.constant("bias", bias, Numbers("int32", 0.01 * READ.scale))
        _scale_each_output(graph, data.index, added.index, rng.uniform(0.002, 0.01, outputs))
    tensors = [read.index, data.index, added.index]
    name, options = _options(kernel.ndim)
    writer.operator(name, tensors, made.index, options, version=5 if wide else 4)
    graph.inputs = np.array([read.index], np.int32)
    graph.outputs = np.array([made.index], np.int32)
    return pack(model)


def _options(rank: int) -> tuple[str, Any]:
    if rank == 4:
        options = schema.Conv2DOptionsT()
        options.strideH = options.strideW = 1
        options.dilationHFactor = options.dilationWFactor = 1
        options.padding = schema.Padding.SAME
        options.fusedActivationFunction = schema.ActivationFunctionType.RELU
        return "CONV_2D", options
    return "FULLY_CONNECTED", schema.FullyConnectedOptionsT()


def _scale_each_output(graph: Any, weights: int, bias: int, scales: np.ndarray) -> None:
    for index, factor in ((weights, 1.0), (bias, READ.scale)):
        quantization = graph.tensors[index].quantization
        quantization.scale = (scales * factor).astype(np.float32)
        quantization.zeroPoint = np.zeros(len(scales), np.int64)
        quantization.quantizedDimension = 0


def random_input(wide: bool, shape: tuple[int, ...], seed: int) -> np.ndarray:
    limits = np.iinfo(np.uint8 if wide else np.int8)
    values = np.random.default_rng(seed).integers(limits.min, limits.max + 1, shape)
    return values.astype(limits.dtype)
