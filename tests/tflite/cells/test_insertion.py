from dataclasses import replace

import numpy as np
import pytest

from tinyprune.tflite.cells.cell import CellWeights
from tinyprune.tflite.cells.functions import CellFunctions
from tinyprune.tflite.cells.insertion import Cell, NewTensor, insert
from tinyprune.tflite.cells.network_writer import H, Numbers
from tinyprune.tflite.cells.reading import cell_kernels
from tinyprune.tflite.flatbuffer import read
from tinyprune.tflite.interpreter import Int8Model

FEATURES, UNITS, FRAMES = 5, 8, 40
X = Numbers("int8", 4 / 255, -3)
GATES = {"lstm": 4, "merged": 4, "gru": 3}
#: Inputs of a merged cell are divided by it: those of X reach to 2.03, so they have steps of 2.5/128.
LIMIT = 2.5
kinds = pytest.mark.parametrize(
    ("kind", "reset_after"),
    [("gru", True), ("gru", False), ("lstm", True), ("merged", True)],
    ids=["gru", "gru that resets before", "lstm", "merged lstm"],
)
SOFT, HARD = CellFunctions(), CellFunctions(hard_gates=True, hard_values=True)
FUNCTIONS = {
    "soft": SOFT,
    "hard": HARD,
    "hard gates": CellFunctions(hard_gates=True),
    "hard values": CellFunctions(hard_values=True),
}
functions_of_cells = pytest.mark.parametrize("functions", FUNCTIONS.values(), ids=FUNCTIONS)


def on_grids(item: CellWeights) -> CellWeights:
    """The cell with the weights that its integers stand for."""
    integers, scales = integers_of(item), scales_of(item)
    kernels = {name: (integers[name] * scales[name]).astype(np.float32) for name in integers}
    return replace(item, **kernels)


def scales_of(item: CellWeights) -> dict[str, float]:
    """The scales of both kernels: of a merged cell one, of limit * kernel and recurrent_kernel."""
    of_inputs, of_state = (
        np.abs(kernel).max() / 127 for kernel in (item.kernel, item.recurrent_kernel)
    )
    if item.input_limit is not None:
        of_state = max(item.input_limit * of_inputs, of_state)
        of_inputs = of_state / item.input_limit
    return {"kernel": of_inputs, "recurrent_kernel": of_state}


def integers_of(item: CellWeights) -> dict[str, np.ndarray]:
    scales = scales_of(item)
    return {name: np.round(getattr(item, name) / scale) for name, scale in scales.items()}


def weights(kind: str, reset_after: bool = True, functions: CellFunctions = SOFT) -> CellWeights:
    """Kernels that are on their int8 grid."""
    rng, width = np.random.default_rng(0), GATES[kind] * UNITS
    item = CellWeights(
        "gru" if kind == "gru" else "lstm",
        rng.normal(0, 0.6, (FEATURES, width)),
        rng.normal(0, 0.4, (UNITS, width)),
        rng.normal(0, 0.3, width).astype(np.float32),
        rng.normal(0, 0.3, width).astype(np.float32) * (kind == "gru" and reset_after),
        reset_after,
        functions,
        LIMIT if kind == "merged" else None,
    )
    return on_grids(item)


def with_blocks(
    kind: str, reset_after: bool = True, functions: CellFunctions = SOFT
) -> CellWeights:
    """64 inputs and units, of which the first half reads the first half, with all gates."""
    rng, gates = np.random.default_rng(0), GATES[kind]
    half = np.kron(np.eye(2, dtype=np.float32), np.ones((32, 32), np.float32))
    mask = np.tile(half, (1, gates))
    bias = rng.normal(0, 0.3, 64 * gates).astype(np.float32)
    item = CellWeights(
        "gru" if kind == "gru" else "lstm",
        rng.normal(0, 0.2, (64, 64 * gates)) * mask,
        rng.normal(0, 0.2, (64, 64 * gates)) * mask,
        bias,
        bias[::-1] * (kind == "gru" and reset_after),
        reset_after,
        functions,
        LIMIT if kind == "merged" else None,
    )
    return on_grids(item)


def written(path, item: CellWeights, frames: int, keeps_state: bool) -> Int8Model:
    """A network that is one cell."""
    cell = Cell("cell", item, "features", "h", keeps_state, makes_all=True)
    tensors = {
        "features": NewTensor((1, frames, len(item.kernel)), X),
        "h": NewTensor((1, frames, item.units), H),
    }
    content, _ = insert(None, [cell], tensors, {"features": "features"}, {"output": "h"})
    path.write_bytes(content)
    return Int8Model(path)


def quantized(values: np.ndarray, numbers: Numbers) -> np.ndarray:
    integers = np.clip(np.round(values / numbers.scale) + numbers.zero_point, -128, 127)
    return (integers - numbers.zero_point) * numbers.scale


def gate(x: np.ndarray, functions: CellFunctions) -> np.ndarray:
    return np.clip(x / 6 + 0.5, 0, 1) if functions.hard_gates else 1 / (1 + np.exp(-x))


def value(x: np.ndarray, functions: CellFunctions) -> np.ndarray:
    return np.clip(x, -1, 1) if functions.hard_values else np.tanh(x)


def by_the_book(item: CellWeights, frames: np.ndarray) -> np.ndarray:
    """h on its grid wherever it is read, everything else in float64."""
    units, functions = item.units, item.functions
    h, c, outputs = np.zeros(units), np.zeros(units), []
    if item.input_limit is not None:
        frames = quantized(frames, Numbers("int8", item.input_limit / 128))
    kernel, recurrent = item.kernel, item.recurrent_kernel
    for x in frames:
        of_x = x @ kernel + item.input_bias
        of_h = quantized(h, H) @ recurrent + item.recurrent_bias
        if item.kind == "lstm":
            i, f, g, o = np.split(of_x + of_h, 4)
            i, f, o = (gate(x, functions) for x in (i, f, o))
            c = f * c + i * value(g, functions)
            h = o * value(c, functions)
        else:
            (z, r, n), (h_z, h_r, h_n) = np.split(of_x, 3), np.split(of_h, 3)
            z, r = gate(z + h_z, functions), gate(r + h_r, functions)
            reset = quantized(r * h, H) @ recurrent[:, 2 * units :]
            n = value(n + (r * h_n if item.reset_after else reset), functions)
            h = n + z * (h - n)
        outputs.append(quantized(h, H))
    return np.array(outputs)


@kinds
@functions_of_cells
@pytest.mark.parametrize(
    ("frames", "keeps_state"),
    [(1, True), (5, True), (FRAMES, False)],
    ids=["frame by frame", "5 frames a call", "one call"],
)
def test_a_cell_computes_what_the_book_says(
    kind, reset_after, functions, frames, keeps_state, tmp_path
):
    item = weights(kind, reset_after, functions)
    runner = written(tmp_path / "cell.tflite", item, frames, keeps_state)
    sequence = quantized(np.random.default_rng(1).uniform(-2, 2, (FRAMES, FEATURES)), X)
    expected = by_the_book(item, sequence)
    found = runner.run(sequence.astype(np.float32))
    assert np.ptp(expected) > 100 * H.scale
    assert np.abs(found - expected).max() < 4 * H.scale
    assert np.abs(found - expected).mean() < 0.5 * H.scale
    np.testing.assert_array_equal(runner.run(sequence.astype(np.float32)), found)  # from zeros


@kinds
@functions_of_cells
def test_a_cell_whose_units_are_in_groups_computes_the_same(kind, reset_after, functions, tmp_path):
    item = with_blocks(kind, reset_after, functions)
    path = tmp_path / "cell.tflite"
    runner = written(path, item, 1, keeps_state=True)
    sequence = quantized(np.random.default_rng(1).uniform(-2, 2, (FRAMES, 64)), X)
    expected = by_the_book(item, sequence)
    found = runner.run(sequence.astype(np.float32))
    assert np.abs(found - expected).max() < 4 * H.scale
    assert np.abs(found - expected).mean() < 0.5 * H.scale
    assert b"_in_groups_of_32" in path.read_bytes()
    kernels = cell_kernels(read(path), "cell", item.units).kernels
    for name, integers in integers_of(item).items():
        np.testing.assert_array_equal(kernels[name], integers)


@kinds
def test_the_kernels_in_the_file_are_the_integers_of_their_grid(kind, reset_after, tmp_path):
    item = weights(kind, reset_after)
    item.kernel[0, :] = 0
    written(tmp_path / "cell.tflite", item, 3, keeps_state=False)
    graph = read(tmp_path / "cell.tflite")
    found = cell_kernels(graph, "cell", item.units)
    for name, expected in integers_of(item).items():
        np.testing.assert_array_equal(found.kernels[name], expected)
    assert cell_kernels(graph, "other", item.units) is None


@kinds
def test_the_states_are_named_in_the_signature_and_nothing_is_left_unread(
    kind, reset_after, tmp_path
):
    written(tmp_path / "cell.tflite", weights(kind, reset_after), 1, keeps_state=True)
    graph = read(tmp_path / "cell.tflite")
    assert [tensor.dtype for tensor in graph.inputs] == ["int8", "uint8", "int16"]
    assert [tensor.dtype for tensor in graph.outputs] == ["int8", "uint8", "int16"]
    read_by_any = {id(tensor) for operator in graph.operators for tensor in operator.given_inputs}
    read_by_any |= {id(tensor) for tensor in graph.outputs}
    made = [tensor for operator in graph.operators for tensor in operator.outputs]
    assert all(id(tensor) in read_by_any for tensor in made)


def test_a_kernel_of_zeros_has_a_scale_that_its_bias_fits(tmp_path):
    item = weights("gru")
    item.kernel[:] = 0
    runner = written(tmp_path / "cell.tflite", item, 1, keeps_state=True)
    found = runner.run(np.zeros((FRAMES, FEATURES), np.float32))
    expected = by_the_book(item, np.zeros((FRAMES, FEATURES)))
    assert np.abs(found - expected).max() < 4 * H.scale
