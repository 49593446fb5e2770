import numpy as np
import pytest

from tinyprune.registry import IMPORTANCES
from tinyprune.sparsity.importance import FROM_GRADIENTS, l1, l2, taylor

VALUES = np.array([[1, -3, 2], [0, 0, 6], [-1, -1, -1]], np.float32)
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


@pytest.mark.parametrize("name", IMPORTANCES)
@pytest.mark.parametrize(
    "order", [np.arange(9), np.array([3, 1, 2, 0, 7, 5, 6, 4, 8]), np.arange(9)[::-1]]
)
def test_weights_alone_are_worth_themselves_in_any_order(name, order):
    values, ids = np.abs(VALUES), order.reshape(VALUES.shape)
    np.testing.assert_array_equal(IMPORTANCES[name](values, ids)[ids], values)


@pytest.mark.parametrize("name", IMPORTANCES)
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
