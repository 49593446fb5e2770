import numpy as np
import pytest

from tinyprune.errors import UsageError
from tinyprune.sparsity.block import groups


def test_tiles_are_numbered_row_by_row_and_smaller_at_the_edges():
    expected = [
        [0, 0, 0, 1, 1],
        [0, 0, 0, 1, 1],
        [2, 2, 2, 3, 3],
    ]
    np.testing.assert_array_equal(groups((3, 5), 2, 3), expected)


@pytest.mark.parametrize(
    ("rows", "columns", "count"),
    [
        (16, 16, 8 * 64),
        (1, 16, 128 * 64),
        (16, 1, 8 * 1024),
        (4, 4, 32 * 256),
        (100, 1000, 2 * 2),
        (128, 1024, 1),
    ],
)
def test_any_size_tiles_a_dense_kernel(rows, columns, count):
    ids = groups((128, 1024), rows, columns)
    assert ids.max() + 1 == count
    assert np.bincount(ids.ravel()).max() == rows * columns


def test_a_convolution_is_a_matrix_of_positions_times_inputs_and_outputs():
    np.testing.assert_array_equal(
        groups((3, 3, 4, 10), 4, 5).reshape(3 * 3 * 4, 10), groups((36, 10), 4, 5)
    )
    assert (
        groups((3, 3, 4, 10), 4, 5).max() + 1 == 3 * 3 * 2
    )  # 4 rows are the 4 inputs of one position


def test_a_depthwise_kernel_is_a_matrix_of_positions_and_channels():
    assert groups((3, 3, 1, 8), 9, 2).max() + 1 == 8 // 2


@pytest.mark.parametrize(
    ("shape", "rows", "columns", "advice"),
    [
        ((8, 32), 16, 16, "8x16"),
        ((32, 10), 16, 16, "16x10"),
        ((3, 3, 1, 8), 16, 16, "9x8"),
        ((4, 4), 4, 5, "4x4"),
    ],
)
def test_a_block_larger_than_the_kernel_is_refused_with_one_that_fits(shape, rows, columns, advice):
    with pytest.raises(UsageError) as caught:
        groups(shape, rows, columns)
    message = str(caught.value)
    assert "\n" not in message
    assert f"{rows}x{columns} is larger than the kernel of shape {shape}" in message
    assert f"try {advice} or smaller" in message
    groups(shape, *map(int, advice.split("x")))
