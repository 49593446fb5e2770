import numpy as np
import pytest

from tinyprune.registry import IMPORTANCES
from tinyprune.sparsity.importance import (
    FROM_GRADIENTS,
    SCALE_FREE,
    in_units_of_kernel,
    l1,
    l2,
    lamp,
    relative,
    taylor,
)

VALUES = np.array([[1, -3, 2], [0, 0, 6], [-1, -1, -1]], np.float32)
WITH_A_SCALE = sorted(set(IMPORTANCES) - SCALE_FREE)
ROWS = np.array([[0, 0, 0], [1, 1, 1], [2, 2, 2]])


def test_l1_is_the_mean_absolute_weight():
    np.testing.assert_allclose(
        l1(VALUES, ROWS), [(1 + 3 + 2) / 3, (0 + 0 + 6) / 3, (1 + 1 + 1) / 3]
    )


def test_l2_is_the_root_mean_square():
    np.testing.assert_allclose(
        l2(VALUES, ROWS), np.sqrt([(1 + 9 + 4) / 3, (0 + 0 + 36) / 3, (1 + 1 + 1) / 3])
    )


def test_taylor_is_the_mean_of_the_squares_it_is_given():
    gradient = np.array([[1, 2, 0.5], [3, 3, 0.5], [2, 2, 2]], np.float32)
    expected = [(1**2 + 6**2 + 1**2) / 3, (0 + 0 + 3**2) / 3, (2**2 + 2**2 + 2**2) / 3]
    np.testing.assert_allclose(taylor((gradient * VALUES) ** 2, ROWS), expected)


def test_l1_and_l2_disagree_on_what_is_spread_and_what_is_peaked():
    values, ids = np.array([3.0, 3.0, 0.0, 5.0]), np.array([0, 0, 1, 1])
    assert np.argmin(l1(values, ids)) == 1
    assert np.argmin(l2(values, ids)) == 0


@pytest.mark.parametrize("name", WITH_A_SCALE)
@pytest.mark.parametrize(
    "order", [np.arange(9), np.array([3, 1, 2, 0, 7, 5, 6, 4, 8]), np.arange(9)[::-1]]
)
def test_weights_alone_are_worth_themselves_in_any_order(name, order):
    values, ids = np.abs(VALUES), order.reshape(VALUES.shape)
    np.testing.assert_array_equal(IMPORTANCES[name](values, ids)[ids], values)


@pytest.mark.parametrize("name", WITH_A_SCALE)
def test_weights_alone_keep_their_precision(name):
    assert (
        IMPORTANCES[name](VALUES, np.arange(VALUES.size).reshape(VALUES.shape)).dtype == np.float32
    )


@pytest.mark.parametrize("name", IMPORTANCES)
def test_a_big_group_is_not_worth_more_for_being_big(name):
    found = IMPORTANCES[name](np.array([[1.0, 1.0, 1.0, 2.0]]), np.array([[0, 0, 0, 1]]))
    assert found.shape == (2,)
    assert found[0] < found[1]


@pytest.mark.parametrize("name", IMPORTANCES)
def test_views_count_as_what_they_show(name):
    """A transposed kernel is a view with swapped axes."""
    ids = np.array([[0, 1], [0, 1], [0, 0]])
    np.testing.assert_array_equal(
        IMPORTANCES[name](VALUES[:2].T, ids), IMPORTANCES[name](VALUES[:2].T.copy(), ids)
    )


def test_what_needs_gradients_is_registered():
    assert set(IMPORTANCES) > FROM_GRADIENTS


def test_relative_is_in_units_of_the_kernel():
    squares = 1 + 9 + 4 + 36 + 1 + 1 + 1
    expected = np.array([2, 2, 1]) / np.sqrt(squares / 9)
    np.testing.assert_allclose(relative(VALUES, ROWS), expected, rtol=1e-6)


def test_lamp_is_the_square_over_those_that_are_not_smaller():
    values, ids = np.array([3.0, 1.0, 4.0, 2.0]), np.arange(4)
    expected = [9 / (16 + 9), 1 / (16 + 9 + 4 + 1), 16 / 16, 4 / (16 + 9 + 4)]
    np.testing.assert_allclose(lamp(values, ids), expected)


def test_lamp_of_a_group_is_that_of_its_mean_square():
    first, second, third = (1 + 9 + 4) / 3, (0 + 0 + 36) / 3, (1 + 1 + 1) / 3
    expected = [first / (second + first), 1, third / (second + first + third)]
    np.testing.assert_allclose(lamp(VALUES, ROWS), expected)


@pytest.mark.parametrize("name", sorted(SCALE_FREE))
def test_a_kernel_of_zeros_is_worth_nothing(name):
    assert IMPORTANCES[name](np.zeros((2, 2)), np.arange(4).reshape(2, 2)).tolist() == [0, 0, 0, 0]


def test_tiny_kernels_do_not_underflow():
    values, ids = np.array([1e-30, 2e-30], np.float32), np.arange(2)
    np.testing.assert_allclose(lamp(values, ids), [1 / (4 + 1), 1], rtol=1e-5)
    np.testing.assert_allclose(in_units_of_kernel(values), np.array([1, 2]) / np.sqrt(2.5), 1e-5)
