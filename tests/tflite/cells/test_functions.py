"""Functions that saturation makes: the same in LiteRT and in what Vela compiles, cut off where they should be."""

import numpy as np
import pytest

from tests.tflite.cells.test_insertion import FUNCTIONS, HARD
from tinyprune.npu import targets, vela
from tinyprune.npu.stream.network import CompiledNetwork
from tinyprune.tflite.cells.functions import CellFunctions
from tinyprune.tflite.cells.network_writer import (
    NetworkWriter,
    Numbers,
    Value,
    empty_model,
    int32_bias,
    uint8_matrix,
)
from tinyprune.tflite.engines import LiteRt
from tinyprune.tflite.flatbuffer import pack

WIDTH = 64
CELL = Numbers("int16", 2**-11)
npus = pytest.mark.parametrize(
    "npu", ["ethos-u55-128", pytest.param("ethos-u85-256", marks=pytest.mark.slow)]
)


def run(writer: NetworkWriter, inputs: list[Value], outputs: list[Value], npu, folder):
    """Return a function of integers: outputs by LiteRT, and by the stream that Vela made."""
    graph = writer.model.subgraphs[0]
    graph.inputs = np.array([value.index for value in inputs], np.int32)
    graph.outputs = np.array([value.index for value in outputs], np.int32)
    path = folder / "functions.tflite"
    path.write_bytes(pack(writer.model))
    compiled = CompiledNetwork(vela.compile_tflite(path, targets.resolve(npu), folder).path)
    reference = LiteRt(path.read_bytes())
    return lambda given: (reference.invoke(given), compiled.invoke(given))


def ramp(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Numbers of 16 bits, of which a quarter are at either end."""
    values = np.random.default_rng(seed).uniform(-1.5, 1.5, shape) * 32768
    return values.clip(-32768, 32767).astype(np.int16)


def real(integers: np.ndarray, value: Value) -> np.ndarray:
    return (integers.astype(np.float64) - value.zero_point) * value.scale


def wanted(functions: CellFunctions, summed: np.ndarray, cell: np.ndarray) -> list[np.ndarray]:
    """Return gates, candidate (divided) and squashed cell of a sum as products have it."""
    gates = 1 / (1 + np.exp(-summed))
    if functions.hard_gates:
        gates = np.clip(summed, 0, 1)  # already a sixth, and one half more
    argument = summed * functions.divisor
    if functions.hard_values:
        return [gates, np.clip(argument, -1, 1) / functions.value_divisor, np.clip(cell, -1, 1)]
    return [gates, np.tanh(argument), np.tanh(cell)]


@npus
@pytest.mark.parametrize("functions", FUNCTIONS.values(), ids=FUNCTIONS)
def test_functions_of_sums_and_of_a_cell(functions, npu, tmp_path):
    writer = NetworkWriter(empty_model(), "test")
    shape = (1, 1, 2, WIDTH)
    terms = [writer.tensor(name, shape, functions.product) for name in ("one", "other")]
    cell = writer.tensor("cell", shape, functions.divided(CELL))
    made = [
        functions.gates(writer, "gates", terms),
        functions.candidate(writer, "candidate", terms),
        functions.squashed(writer, "squashed", cell),
    ]
    invoke = run(writer, [*terms, cell], made, npu, tmp_path)
    for seed in range(4):
        one, other, state = (ramp(shape, 3 * seed + number) for number in range(3))
        of_cell = real(state, cell) * functions.value_divisor
        summed = real(one, terms[0]) + real(other // 4, terms[1])
        expected = wanted(functions, summed, of_cell)
        by_litert, by_stream = invoke([one, other // 4, state])
        for value, exact, found, streamed in zip(made, expected, by_litert, by_stream, strict=True):
            assert np.abs(real(found, value) - exact).max() <= 4e-4
            if functions == HARD:
                np.testing.assert_array_equal(found, streamed)
            assert np.abs(found.astype(int) - streamed).max() <= 8


@npus
def test_a_product_is_cut_off_at_both_ends(npu, tmp_path):
    """Weights of 127/128 each, 64 inputs of -1 to 127/128: sums of -63.5 to 63 in a grid of -4 to 4."""
    writer = NetworkWriter(empty_model(), "test")
    read = writer.tensor("read", (1, 1, WIDTH), Numbers("uint8", 1 / 128, 128))
    integers = np.full((16, WIDTH), 127, np.int8)
    weights = writer.constant("weights", uint8_matrix(integers), Numbers("uint8", 1 / 128, 128))
    bias = int32_bias(np.zeros(16, np.float32), 1 / 128**2)
    made = writer.fully_connected("made", read, weights, bias, HARD.product)
    invoke = run(writer, [read], [made], npu, tmp_path)
    for level in (0, 90, 124, 128, 131, 160, 255):
        given = np.full(read.shape, level, np.uint8)
        exact = WIDTH * (level - 128) / 128 * 127 / 128
        limits = np.array([-32768, 32767]) * HARD.product.scale
        [found], [streamed] = invoke([given])
        np.testing.assert_array_equal(found, streamed)
        assert np.abs(real(found, made) - np.clip(exact, *limits)).max() <= HARD.product.scale
