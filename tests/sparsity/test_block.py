import numpy as np
import pytest

from tinyprune.errors import UsageError
from tinyprune.sparsity.block import Block, groups


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


def test_a_tile_of_a_convolution_has_all_positions_of_the_window():
    ids = groups((3, 3, 4, 10), 2, 5)
    assert ids.max() + 1 == 2 * 2
    np.testing.assert_array_equal(ids[0, 0], groups((4, 10), 2, 5))
    assert (ids == ids[0, 0]).all()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((256, 256), Block(32, 64)),  # 8 x 4 blocks
        ((256, 64), Block(32, 64)),  # 8 x 1
        ((128, 64), Block(32, 32)),  # 4 x 1, then 4 x 2
        ((64, 12), Block(8, 12)),  # 2 x 1, 4 x 1, then 8 x 1
        ((3, 3, 64, 64), Block(16, 32)),  # 2 x 1, 2 x 2, then 4 x 2
    ],
)
def test_blocks_of_a_target_become_smaller_until_there_are_eight(shape, expected):
    assert Block(32, 64).fitting(shape) == expected


@pytest.mark.parametrize("shape", [(3, 3, 1, 64), (4, 8)])
def test_a_kernel_of_one_input_or_one_block_has_nothing_to_choose_from(shape):
    with pytest.raises(UsageError, match=f"^{shape[-2]} x {shape[-1]}: too few inputs and outputs"):
        Block(32, 64).fitting(shape)


@pytest.mark.parametrize(
    ("shape", "rows", "columns", "advice"),
    [
        ((8, 32), 16, 16, "8x16"),
        ((32, 10), 16, 16, "16x10"),
        ((3, 3, 1, 8), 16, 16, "1x8"),
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
