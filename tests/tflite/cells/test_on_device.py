"""Cells as Vela compiles them, executed: within a step of LiteRT, which runs the file itself.

TensorFlow Lite Micro has no uint8 products. LiteRT rounds some 16-bit sums to the other side.
"""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

import tinyprune
from tests.tflite.cells.test_insertion import (
    FEATURES,
    HARD,
    SOFT,
    UNITS,
    X,
    kinds,
    on_grids,
    weights,
    with_blocks,
    written,
)
from tinyprune.npu import targets, vela
from tinyprune.npu.stream.network import CompiledNetwork
from tinyprune.tflite.cells.cell import CellWeights
from tinyprune.tflite.cells.insertion import Cell, NewTensor, insert
from tinyprune.tflite.cells.network_writer import H
from tinyprune.tflite.engines import LiteRt

STEPS_8_BIT = 1
#: What is carried on in 16 bits: a step of its 8-bit copy.
STEPS_16_BIT = 256
CALLS = 12
functions_of_cells = pytest.mark.parametrize(
    "functions", [SOFT, pytest.param(HARD, marks=pytest.mark.slow)], ids=["soft", "hard"]
)


def stacked(path: Path, first: CellWeights, frames: int, keeps_state: bool) -> Path:
    """Two cells: the first one's h is read by the second only."""
    kernel = np.random.default_rng(3).normal(0, 0.6, (UNITS, first.kernel.shape[1]))
    limit = None if first.input_limit is None else 1.0
    second = on_grids(replace(first, kernel=kernel, input_limit=limit))
    cells = [
        Cell("one", first, "features", "h", keeps_state, makes_all=True),
        Cell("two", second, "h", "last", keeps_state, makes_all=True),
    ]
    tensors = {
        "features": NewTensor((1, frames, FEATURES), X),
        "h": NewTensor((1, frames, UNITS), H),
        "last": NewTensor((1, frames, UNITS), H),
    }
    content, _ = insert(None, cells, tensors, {"features": "features"}, {"output": "last"})
    path.write_bytes(content)
    return path


def hold_to_litert(path: Path, npu: str, most: int = STEPS_8_BIT) -> None:
    """Hold what Vela makes of a network to LiteRT, on random inputs and states."""
    compiled = CompiledNetwork(vela.compile_tflite(path, targets.resolve(npu), path.parent).path)
    reference = LiteRt(path.read_bytes())
    rng = np.random.default_rng(0)
    for _ in range(CALLS):
        inputs = []
        for tensor in compiled.inputs:
            limits = np.iinfo(tensor.dtype)
            values = rng.integers(limits.min, limits.max + 1, tensor.shape)
            inputs.append(values.astype(tensor.dtype))
        pairs = zip(compiled.invoke(inputs), reference.invoke(inputs), strict=True)
        for found, expected in pairs:
            steps = np.abs(found.astype(np.int32) - expected.astype(np.int32)).max()
            assert steps <= (STEPS_16_BIT if found.dtype == np.int16 else most)


@pytest.mark.parametrize(
    "npu", ["ethos-u55-128", pytest.param("ethos-u85-256", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    ("frames", "keeps_state"), [(1, True), pytest.param(3, False, marks=pytest.mark.slow)]
)
@functions_of_cells
@kinds
def test_the_compiled_cell_computes_what_the_file_says(
    kind, reset_after, functions, frames, keeps_state, npu, tmp_path
):
    item = weights(kind, reset_after, functions)
    path = stacked(tmp_path / "cells.tflite", item, frames, keeps_state)
    hold_to_litert(path, npu)


@pytest.mark.slow
@pytest.mark.parametrize("npu", ["ethos-u55-128", "ethos-u65-256", "ethos-u85-256"])
@functions_of_cells
@kinds
def test_a_cell_whose_units_are_in_groups(kind, reset_after, functions, npu, tmp_path):
    path = tmp_path / "cell.tflite"
    written(path, with_blocks(kind, reset_after, functions), 1, keeps_state=True)
    hold_to_litert(path, npu)


@pytest.mark.slow
@pytest.mark.parametrize("npu", ["ethos-u55-128", "ethos-u65-256", "ethos-u85-256"])
@pytest.mark.parametrize("width", [8, 1])
def test_a_cell_that_reads_another_layer(width, npu, tmp_path):
    inputs = keras.Input((4, 5))
    read = keras.layers.Dense(width, activation="relu")(inputs)
    h = keras.layers.GRU(6, return_sequences=True)(read)
    model = keras.Model(inputs, keras.layers.Dense(3)(h))
    examples = np.random.default_rng(0).standard_normal((64, 4, 5), np.float32)
    path = tmp_path / "network.tflite"
    tinyprune.export_int8(model, examples, path)
    hold_to_litert(path, npu, most=2)  # a step of the cell, and one of the layer behind it
