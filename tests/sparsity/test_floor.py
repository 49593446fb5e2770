import math

import numpy as np
import pytest

from tinyprune.sparsity.floor import fewest_groups, floor_of, protected, protected_outputs

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


def _ids(*shape: int) -> np.ndarray:
    """A group per weight."""
    return np.arange(math.prod(shape)).reshape(shape)


def _kept(floor, key: str, importance: np.ndarray) -> list[int]:
    return np.flatnonzero(np.isinf(floor.protect(key, importance))).tolist()


#: 9 weights of each of 20 channels; 20 x 40 weights. 980 in all, of which 10 % are 98.
IDS = {"depthwise": _ids(3, 3, 1, 20), "pointwise": _ids(1, 1, 20, 40)}


def test_every_output_keeps_a_group_where_half_of_what_is_kept_holds_them():
    # 20 + 40 = 60 groups are more than half of 98: only the kernel with few groups per output.
    floor = floor_of(IDS, 0.9, 0.25, "global", last=[])
    assert list(floor.outputs) == ["depthwise"]
    # 60 are less than half of 196.
    assert set(floor_of(IDS, 0.8, 0.25, "global", last=[]).outputs) == set(IDS)
    # What makes the outputs of the network is in any case.
    assert set(floor_of(IDS, 0.9, 0.25, "global", last=["pointwise"]).outputs) == set(IDS)


def test_a_depthwise_kernel_loses_no_channel():
    floor = floor_of(IDS, 0.9, 0.25, "global", last=[])
    importance = np.linspace(0, 1, 180)
    # The largest of each channel are the last twenty; a quarter of 10 % are 5 more than it has.
    assert _kept(floor, "depthwise", importance) == list(range(160, 180))
    # The other kernel keeps its share only: 0.25 * 0.1 * 800 = 20.
    assert len(_kept(floor, "pointwise", np.linspace(0, 1, 800))) == 20


def test_kernels_that_are_ranked_alone_have_their_own_outputs():
    # Of the depthwise kernel 18 weights stay at 90 %: half of them hold no twenty channels. Of the other
    # 80 stay, half of which are its forty outputs.
    assert list(floor_of(IDS, 0.9, 0.25, "layer", last=[]).outputs) == ["pointwise"]


def test_no_floor_protects_nothing():
    floor = floor_of(IDS, 0.9, 0.0, "global", last=["pointwise"])
    assert not floor.outputs
    assert _kept(floor, "pointwise", np.linspace(0, 1, 800)) == []


def test_a_tile_holds_several_outputs():
    # 2 x 3 tiles of 10 x 10: three hold a weight of every output, half of 6 * (1 - 0) = 6.
    tiles = np.arange(6).reshape(2, 3).repeat(10, axis=0).repeat(10, axis=1)
    floor = floor_of({"dense": tiles}, 0.0, 0.25, "global", last=[])
    assert _kept(floor, "dense", np.array([1.0, 5, 3, 4, 2, 6])) == [1, 3, 5]
