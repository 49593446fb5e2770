"""Few values for many weights, beside every other way to put them into intervals."""

from itertools import combinations

import numpy as np
import pytest

from tinyprune.sparsity.clusters import clustered, palette


def of(values, counts, number):
    return clustered(np.array(values), np.array(counts), number).tolist()


def test_means_are_those_of_the_weights_and_not_of_the_values():
    """(3 * 1 + 1 * 5) / 4 = 2, and (1 * 100 + 3 * 104) / 4 = 103."""
    assert of([1, 5, 100, 104], [3, 1, 1, 3], 2) == [2, 2, 103, 103]


def test_means_are_rounded():
    """(2 * 1 + 1 * 3) / 3 = 1.67."""
    assert of([1, 3], [2, 1], 1) == [2, 2]


def test_as_many_clusters_as_values_change_nothing():
    assert of([-7, 0, 9], [1, 2, 3], 3) == [-7, 0, 9]
    assert of([-7, 0, 9], [1, 2, 3], 16) == [-7, 0, 9]
    assert of([], [], 4) == []


@pytest.mark.parametrize("number", [1, 2, 3, 5])
def test_no_other_intervals_have_a_smaller_error(number):
    draw = np.random.default_rng(number)
    values, counts = (
        np.sort(draw.choice(np.arange(-127, 128), 12, replace=False)),
        draw.integers(1, 50, 12),
    )
    found = clustered(values, counts, number)
    assert len(set(found.tolist())) <= number
    # A rounded mean is up to 0.5 beside the mean: that costs up to 0.25 per weight.
    least = min(error(values, counts, cuts) for cuts in combinations(range(1, 12), number - 1))
    assert least <= (counts * (values - found) ** 2).sum() <= least + 0.25 * counts.sum()


def error(values, counts, cuts):
    """Squared error of the intervals that begin at 0 and at ``cuts``."""
    parts = zip(np.split(values, cuts), np.split(counts, cuts), strict=True)
    return sum((many * (part - np.average(part, weights=many)) ** 2).sum() for part, many in parts)


def test_all_int8_values():
    values = np.arange(-127, 128)
    found = clustered(values, np.ones(255, int), 15)
    assert np.array_equal(
        found, np.repeat(values[8::17], 17)
    )  # 255 = 15 * 17: the middles of 15 runs of 17


# --- the values of weights that are learned along


def test_the_ends_of_a_palette_are_opposites():
    """Means -120, -40, 50 and 100; the ends have (120 + 100) / 2 = 110."""
    steps = np.array([-120.0, -40.0, 50.0, 100.0])
    assert palette(steps, 4, has_zero=False).tolist() == [-110, -40, 50, 110]


def test_zero_is_one_of_the_values_where_weights_are_masked():
    """Zeros do not pull the means: -100 and (50 + 100) / 2 = 75 stay, with ends of 87.5."""
    steps = np.array([-100.0, 0.0, 0.0, 0.0, 50.0, 100.0])
    assert palette(steps, 3, has_zero=True).tolist() == [-87.5, 0, 87.5]


def test_values_of_one_sign_have_no_opposites():
    assert palette(np.array([10.0, 20.0, 127.0]), 3, has_zero=False).tolist() == [10, 20, 127]


def test_a_palette_that_is_not_full_repeats_its_last_value():
    assert palette(np.array([-5.0, 5.0]), 4, has_zero=True).tolist() == [-5, 0, 5, 5]
    assert palette(np.zeros(3), 4, has_zero=True).tolist() == [0, 0, 0, 0]
