"""How the outputs of a kernel are divided."""

import numpy as np
import pytest

from tinyprune.tflite.lowering.parts import Costs, Part, Work, has_blocks, parts_of

FRAME = Work()
#: Only weights and operators cost something, so that the arithmetic fits in a comment.
COSTS = Costs(operator=100.0, weight=1.0, product=0.0, copied=0.0)


def kernel(*live: tuple[slice, slice], shape: tuple[int, int] = (64, 64)) -> np.ndarray:
    values = np.zeros(shape, np.int8)
    for rows, columns in live:
        values[rows, columns] = 1
    return values


def test_outputs_with_the_same_inputs_are_one_part():
    # Whole: 64 * 64 = 4096 weights. In two parts: 2 * (100 + 32 * 32) = 2248.
    values = kernel((slice(0, 32), slice(0, 32)), (slice(32, 64), slice(32, 64)))
    assert parts_of(values, COSTS, FRAME) == (
        Part((0, 32), ((0, 32),)),
        Part((32, 64), ((32, 64),)),
    )


def test_parts_that_save_less_than_an_operator_costs_stay_together():
    # Two parts cost 2 * 100 + 8 * 32 + 56 * 64 = 4040, one 100 + 64 * 64 = 4196; with operators of
    # 300 they cost 4440 and 4396.
    values = kernel((slice(0, 32), slice(0, 8)), (slice(0, 64), slice(8, 64)))
    assert len(parts_of(values, COSTS, FRAME)) == 2
    dearer = Costs(operator=300.0, weight=1.0, product=0.0, copied=0.0)
    assert parts_of(values, dearer, FRAME) == (Part((0, 64), ((0, 64),)),)


def test_adjacent_blocks_are_one_run_and_others_two():
    values = kernel((slice(8, 24), slice(0, 64)), (slice(48, 64), slice(0, 64)))
    [part] = parts_of(values, COSTS, FRAME)
    assert part.inputs == ((8, 24), (48, 64))
    assert (part.input_count, part.output_count) == (32, 64)


def test_a_part_without_weights_reads_something_for_its_bias():
    # Two parts: 100 + 32 * 32 and 100 + 32 * 64. One: 100 + 64 * 64, more.
    values = kernel((slice(0, 64), slice(32, 64)))
    first, second = parts_of(values, COSTS, FRAME)
    assert first == Part((0, 32), ((0, 32),))
    assert second == Part((32, 64), ((0, 64),))


@pytest.mark.parametrize("shape", [(20, 12), (3, 40), (5, 3)])
def test_every_output_is_in_one_part_with_all_that_it_reads(shape):
    rng = np.random.default_rng(0)
    values = (rng.random(shape) < 0.1).astype(np.int8)
    parts = parts_of(values, COSTS, FRAME)
    assert [part.outputs[0] for part in parts] == [0, *(part.outputs[1] for part in parts[:-1])]
    assert parts[-1].outputs[1] == shape[1]
    for part in parts:
        read = np.concatenate([np.arange(*run) for run in part.inputs])
        rest = np.delete(values[:, slice(*part.outputs)], read, axis=0)
        assert not rest.any()


def test_a_window_counts_as_a_whole_and_single_zeros_are_no_blocks():
    values = np.zeros((3, 3, 16, 16), np.int8)
    values[1, 2, :8, :] = 1  # one position of the window: the first eight inputs are read
    assert parts_of(values, COSTS, Work(30, 30, 9)) == (Part((0, 16), ((0, 8),)),)
    assert has_blocks(values)
    scattered = (np.random.default_rng(0).random((64, 64)) < 0.5).astype(np.int8)
    assert not has_blocks(scattered)
