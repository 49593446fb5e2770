"""The order of outputs of cells in the file."""

import numpy as np
import pytest

from tinyprune.tflite.cells.unit_groups import UnitGroups, cheapest_groups, named_groups

LSTM, GRU = (0, 1, 3, 2), (0, 1, 2)


def with_shared_blocks(inputs: int, units: int, gates: int, block: tuple[int, int]) -> np.ndarray:
    """A kernel (inputs, gates * units): every second block of a chess board, for all gates."""
    rows, columns = block
    of_inputs = np.arange(inputs)[:, None] // rows
    of_units = np.arange(units)[None, :] // columns
    is_live = (of_inputs + of_units) % 2 == 0
    return np.tile(is_live, (1, gates)).astype(np.float32)


def test_the_gates_of_a_group_lie_side_by_side():
    # Keras: i of units 0 to 3, then f, g, o. In the file: i, f, o, g of units 0 and 1, then of 2, 3.
    groups = UnitGroups(4, 2, LSTM)
    assert groups.order(4).tolist() == [0, 1, 4, 5, 12, 13, 8, 9, 2, 3, 6, 7, 14, 15, 10, 11]
    assert UnitGroups(4, 2, GRU).order(2).tolist() == [0, 1, 4, 5, 2, 3, 6, 7]  # of two gates


@pytest.mark.parametrize("gates", [LSTM, GRU])
@pytest.mark.parametrize("size", [16, 8, 2])
def test_what_is_brought_into_the_order_of_the_file_comes_back(gates, size):
    groups = UnitGroups(16, size, gates)
    kernel = np.arange(3 * 16 * len(gates), dtype=np.float32).reshape(3, -1)
    np.testing.assert_array_equal(groups.in_keras(groups.in_file(kernel)), kernel)
    assert named_groups(f"layer/kernel{groups.suffix}", 16) == groups


def test_a_name_without_an_order_is_in_the_order_of_keras():
    found = named_groups("layer/kernel", 16)
    kernel = np.arange(64, dtype=np.int8)[None]
    np.testing.assert_array_equal(found.in_keras(kernel), kernel)


@pytest.mark.parametrize(
    ("units", "size", "shape"),
    [
        (256, 64, (1, 4, 2, 32)),
        (256, 32, (1, 8, 2, 16)),  # 32 side by side would leave a single row
        (48, 16, (1, 3, 2, 8)),
        (48, 24, (1, 2, 3, 8)),  # no pairs: what 24 and 32 have in common
        (5, 5, (1, 1, 5, 1)),
    ],
)
def test_a_frame_has_pairs_of_rows(units, size, shape):
    groups = UnitGroups(units, size, LSTM)
    assert groups.shape(1) == shape
    assert groups.shape(4)[2] == 4 * shape[2]


@pytest.mark.parametrize(("gates", "count"), [(LSTM, 4), (GRU, 3)])
def test_groups_have_the_units_that_share_blocks(gates, count):
    kernels = [with_shared_blocks(128, 128, count, (32, 64)) for _ in range(2)]
    assert cheapest_groups(128, gates, kernels).size == 64


def test_a_kernel_without_blocks_is_one_group():
    rng = np.random.default_rng(0)
    scattered = (rng.random((64, 256)) < 0.2).astype(np.float32)
    assert cheapest_groups(64, LSTM, [scattered, scattered]).count == 1
    assert cheapest_groups(64, LSTM, [np.ones((64, 256), np.float32)]).count == 1
