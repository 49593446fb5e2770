"""A valid ``.tflite`` that crashes LiteRT when it computes."""

import shutil
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.tflite.test_flatbuffer import buffer, code, operator, tensor, written
from tinyprune import pretrained


def crashing(path: Path, bands: int = 257) -> Path:
    """Write a network of the shape of the shipped denoiser, with its front end beside it.

    It adds one number to ``bands`` of 16 bits, all of one scale, a power of two. LiteRT takes a kernel
    for that which cannot spread, and aborts.
    """
    frame, int16, scale = [1, 1, bands], schema.TensorType.INT16, [2.0**-4]
    graph = schema.SubGraphT()
    graph.tensors = [
        tensor("x", frame, int16, 0, scale, [0]),
        tensor("one", [1], int16, 1, scale, [0]),
        tensor("y", frame, int16, 0, scale, [0]),
    ]
    graph.inputs, graph.outputs = [0], [2]
    add = operator(0, [0, 1], [2])
    add.builtinOptionsType = schema.BuiltinOptions.AddOptions
    add.builtinOptions = schema.AddOptionsT()
    graph.operators = [add]
    made = schema.ModelT()
    made.version, made.subgraphs = 3, [graph]
    made.operatorCodes = [code(schema.BuiltinOperator.ADD)]
    made.buffers = [buffer(None), buffer(np.ones(1, np.int16))]
    record = pretrained.denoiser().with_suffix(".frontend.json")
    shutil.copy(record, path.with_suffix(".frontend.json"))
    return written(path, made)
