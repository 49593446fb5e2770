import math

import numpy as np
import pytest

from tinyprune.sparsity.floor import fewest_groups, protected, protected_outputs

INF = np.inf


@pytest.mark.parametrize(
    ("groups", "sparsity", "floor", "fewest"),
    [
        (1000, 0.9, 0.25, 25),  # 0.25 * 0.1 of them
        (10, 0.9, 0.25, 1),  # rounded up, so that none is empty
        (1000, 0.9, 0.0, 0),
        (1000, 0.0, 1.0, 1000),
        (3, 0.5, 0.5, 1),  # 0.75
    ],
)
def test_the_floor_is_a_share_of_the_density(groups, sparsity, floor, fewest):
    assert fewest_groups(groups, sparsity, floor) == fewest


def test_the_largest_are_protected_and_of_equals_the_first():
    importance = np.array([1.0, 3.0, 2.0, 3.0, 3.0])
    assert protected(importance, 2).tolist() == [1, INF, 2, INF, 3]
    assert protected(importance, 0) is importance


def test_what_is_protected_already_counts():
    assert protected(np.array([1.0, INF, 2.0]), 2).tolist() == [1, INF, INF]


def test_every_output_keeps_its_largest_group():
    importance = np.array([1.0, 2.0, 5.0, 4.0])
    alone = np.array([[0, 1], [2, 3]])  # two inputs of two outputs
    assert protected_outputs(importance, alone).tolist() == [1, 2, INF, INF]
    tiles = np.array([[[0, 0], [1, 1]], [[2, 2], [3, 3]]])  # both outputs lie in the same tiles
    assert protected_outputs(importance, tiles).tolist() == [1, 2, INF, 4]


def test_a_floor_never_asks_for_more_than_there_is():
    for groups in range(1, 50):
        assert fewest_groups(groups, 0.0, 1.0) == groups
        assert fewest_groups(groups, 0.97, 0.25) == math.ceil(0.25 * 0.03 * groups)
