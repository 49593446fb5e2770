"""A network whose operators are divided computes the same bytes."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.one_operator import one_operator, random_input, with_blocks
from tinyprune.tflite.engines import LiteRt
from tinyprune.tflite.flatbuffer import parse
from tinyprune.tflite.kernels import int8_kernels
from tinyprune.tflite.lowering.parts import Costs
from tinyprune.tflite.lowering.rewriting import divided, divisible

FINE = Costs(operator=10.0, weight=0.125, product=1 / 128, copied=0.5)
WINDOW = (3, 3)


@pytest.mark.parametrize(
    ("shape", "rows", "columns"),
    [
        ((64, 128), 16, 16),
        ((96, 64), 32, 32),
        ((40, 24), 8, 8),
        ((100, 60), 32, 16),  # blocks at the edges are smaller
        ((*WINDOW, 64, 32), 16, 16),
        ((1, 1, 64, 32), 16, 16),
    ],
)
@pytest.mark.parametrize("live", [0.5, 0.2, 0.05])
@pytest.mark.parametrize("wide", [False, True])
def test_the_bytes_are_those_of_the_dense_operator(shape, rows, columns, live, wide):
    if wide and len(shape) == 4:
        return  # products of cells have no window
    content = one_operator(with_blocks(shape, rows, columns, live, seed=len(shape)), wide)
    graph = parse(Path("dense"), content)
    parts = divisible(graph, FINE)
    assert list(parts) == [0]
    rewritten = divided(content, parts)
    assert set(rewritten.source_of) == {0}
    parse(Path("lowered"), rewritten.content)  # it is a valid network
    dense, lowered = LiteRt(content), LiteRt(rewritten.content)
    for seed in range(3):
        values = random_input(wide, graph.inputs[0].shape, seed)
        np.testing.assert_array_equal(dense.invoke([values])[0], lowered.invoke([values])[0])


def test_a_kernel_without_weights_leaves_its_bias():
    content = one_operator(np.zeros((64, 32), np.int8))
    parts = divisible(parse(Path("dense"), content), FINE)
    values = random_input(False, (1, 64), 0)
    [found] = LiteRt(divided(content, parts).content).invoke([values])
    [expected] = LiteRt(content).invoke([values])
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(found)) > 1


def test_the_weights_of_all_parts_are_those_that_are_left():
    kernel = with_blocks((64, 64), 32, 32, 0.4, seed=2)
    content = one_operator(kernel)
    rewritten = divided(content, divisible(parse(Path("dense"), content), FINE))
    parts = [
        int8_kernels(operator)["kernel"]
        for operator in parse(Path("lowered"), rewritten.content).operators
        if operator.name == "FULLY_CONNECTED"
    ]
    assert sum(part.size for part in parts) < kernel.size
    assert sum(np.count_nonzero(part) for part in parts) == np.count_nonzero(kernel)


def test_what_has_no_blocks_of_zeros_is_left_alone():
    dense = parse(Path("dense"), one_operator(with_blocks((64, 64), 16, 16, 1.0)))
    assert divisible(dense, FINE) == {}
    scattered = with_blocks((64, 64), 1, 1, 0.5)
    assert divisible(parse(Path("scattered"), one_operator(scattered)), FINE) == {}
