import numpy as np
import pytest

from tinyprune.sparsity.layout import Layout
from tinyprune.sparsity.masks import magnitude
from tinyprune.sparsity.unit_sets import Coupling, UnitSet, clamped, keep_units, only, removable

INF = np.inf

# conv (1x1, 2 inputs, 3 outputs) -> depthwise (1x1, multiplier 2) -> transposed (1x1, 2 outputs,
# the last one unit 3)
CHAIN = Coupling(
    sets=(UnitSet("conv", 0, 3), UnitSet("transposed", 3, 1)),
    inputs={
        "conv/kernel": [-1, -1],
        "depthwise/kernel": [-1],
        "transposed/kernel": [0, 0, 1, 1, 2, 2],
    },
    outputs={
        "conv/kernel": [0, 1, 2],
        "depthwise/kernel": [0, 0, 1, 1, 2, 2],
        "transposed/kernel": [-1, 3],
    },
    layouts={
        "conv/kernel": Layout.STANDARD,
        "depthwise/kernel": Layout.DEPTHWISE,
        "transposed/kernel": Layout.TRANSPOSED,
    },
    shapes={
        "conv/kernel": (1, 1, 2, 3),
        "depthwise/kernel": (1, 1, 3, 2),
        "transposed/kernel": (1, 1, 2, 6),
    },
)
for vectors in (CHAIN.inputs, CHAIN.outputs):
    vectors.update({key: np.array(ids) for key, ids in vectors.items()})


def sets(*sizes: int) -> Coupling:
    """A coupling of nothing but sets "0", "1", ... of these sizes."""
    starts = np.cumsum([0, *sizes])
    return Coupling(
        tuple(UnitSet(str(i), int(starts[i]), size) for i, size in enumerate(sizes)), {}, {}, {}, {}
    )


def test_units_are_those_of_all_sets():
    assert CHAIN.units == 3 + 1
    assert CHAIN.sets[1].slice == slice(3, 4)


def test_importance_is_that_of_all_outputs_over_the_mean_of_the_set():
    values = {
        "conv/kernel": np.array([[[[1, 2, 3], [-1, 4, 0]]]], float),
        "depthwise/kernel": np.array([[[[1, 1], [2, -4], [0, 0]]]], float),
        "transposed/kernel": np.stack([np.full(6, 100.0), np.arange(6)])[
            None, None
        ],  # 100: makes no unit
    }
    calls = []

    def measure(weights, ids):
        calls.append((weights, ids))
        return np.bincount(ids, np.abs(weights))

    found = CHAIN.importance(values, measure)
    raw = [1 + 1 + 1 + 1, 2 + 4 + 2 + 4, 3 + 0 + 0 + 0]
    np.testing.assert_allclose(found, [*(np.array(raw) / ((4 + 12 + 3) / 3)), 1])
    assert len(calls) == 1
    assert len(calls[0][0]) == len(calls[0][1]) == 2 * 3 + 3 * 2 + 6


def test_importance_takes_the_measures_of_the_masking_engine_and_infinity():
    values = {key: np.ones(shape) for key, shape in CHAIN.shapes.items()}
    assert CHAIN.importance(values, magnitude).tolist() == [1, 1, 1, 1]
    found = CHAIN.importance(values, lambda weights, ids: np.array([INF, 1.0, 3.0, INF]))
    assert found.tolist() == [INF, 0.5, 1.5, INF]
    zeros = {key: np.zeros(shape) for key, shape in CHAIN.shapes.items()}
    assert CHAIN.importance(zeros, magnitude).tolist() == [0, 0, 0, 0]


def test_masks_are_kept_inputs_times_kept_outputs():
    masks = CHAIN.masks(np.array([True, False, True, False]))
    assert masks["conv/kernel"].tolist() == [[[[1, 0, 1], [1, 0, 1]]]]
    assert masks["depthwise/kernel"].tolist() == [[[[1, 1], [0, 0], [1, 1]]]]
    assert masks["transposed/kernel"].tolist() == [[[[1, 1, 0, 0, 1, 1], [0] * 6]]]
    assert all(
        mask.shape == CHAIN.shapes[key] and mask.dtype == bool for key, mask in masks.items()
    )


def test_the_least_important_units_go():
    importance = np.array([0.1, 5, 4, 0.2, 3, 0.3, 0.4, 2, 1, 6])
    keep = keep_units(importance, sets(5, 5), 0.3, "global", None)
    assert np.flatnonzero(~keep).tolist() == [0, 3, 5]  # floor(0.3 * 10) of all
    keep = keep_units(importance, sets(5, 5), 0.3, "layer", None)
    assert np.flatnonzero(~keep).tolist() == [0, 5]  # floor(0.3 * 5) of each


@pytest.mark.parametrize(
    ("size", "kept", "round_to", "expected"),
    [
        (32, 19, 8, 16),  # 19 / 8 = 2.4
        (32, 20, 8, 24),  # 2.5: a half goes up
        (32, 31, 8, 32),
        (30, 29, 8, 30),  # nearest is 32: at most all
        (30, 27, 8, 24),
        (30, 30, 8, 30),  # nothing to remove, nothing to round
        (32, 2, 8, 8),  # at least one multiple
        (6, 3, 8, 6),  # less than one multiple keeps all
        (32, 19, 1, 19),
        (32, 19, None, 19),
    ],
)
def test_kept_counts_are_rounded_and_the_best_stay(size, kept, round_to, expected):
    importance = np.random.default_rng(0).permutation(size).astype(float)
    keep = keep_units(importance, sets(size), (size - kept) / size, "layer", round_to)
    assert keep.sum() == expected
    assert not expected < size or importance[keep].min() > importance[~keep].max()


@pytest.mark.parametrize(("round_to", "least"), [(None, 1), (4, 4), (8, 5)])
def test_no_set_loses_all_its_units(round_to, least):
    importance, coupling = np.array([9.0] * 16 + [3, 1, 5, 2, 4]), sets(16, 5)
    keep = keep_units(importance, coupling, 5 / 21, "global", round_to)
    assert keep[:16].all()
    assert keep[16:].sum() == least
    assert keep[16 + 2]  # the best of the set
    assert clamped(importance, coupling, 5 / 21, "global", round_to) == ("1",)
    assert clamped(importance, coupling, 4 / 21, "global", None) == ()


def test_a_count_that_rounds_to_zero_is_clamped_too():
    importance = np.arange(16.0)
    assert clamped(importance, sets(16), 13 / 16, "layer", 8) == ("0",)  # 3 / 8 is nearer to 0
    assert clamped(importance, sets(16), 12 / 16, "layer", 8) == ()
    assert keep_units(importance, sets(16), 13 / 16, "layer", 8).sum() == 8


@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("round_to", [None, 8])
def test_infinite_importance_always_stays(scope, round_to):
    importance = np.where(np.arange(40) % 2, INF, 1.0)
    keep = keep_units(importance, sets(20, 20), 0.9, scope, round_to)
    assert keep[1::2].all()
    assert keep_units(np.full(20, INF), sets(20), 0.9, scope, round_to).all()


@pytest.mark.parametrize("round_to", [None, 8])
def test_sparsity_zero_keeps_all_and_equal_units_are_cut_in_one_way(round_to):
    coupling = sets(18, 7, 40)
    assert keep_units(np.ones(65), coupling, 0.0, "global", round_to).all()
    cuts = [keep_units(np.ones(65), coupling, 0.4, "global", round_to).tolist() for _ in range(2)]
    assert cuts[0] == cuts[1]


# --- which sets may lose units
# ----------------------------------------------------------------------------------------


def as_lists(vectors):
    return {key: ids.tolist() for key, ids in vectors.items()}


def test_only_some_sets_can_lose_units():
    found = only(CHAIN, ["transposed"])
    assert found.sets == (UnitSet("transposed", 0, 1),)
    assert found.units == 1
    assert as_lists(found.outputs) == {
        "conv/kernel": [-1] * 3,
        "depthwise/kernel": [-1] * 6,
        "transposed/kernel": [-1, 0],  # number 3 is number 0 now
    }
    assert as_lists(found.inputs) == {
        "conv/kernel": [-1, -1],
        "depthwise/kernel": [-1],
        "transposed/kernel": [-1] * 6,
    }
    masks = found.masks(np.array([False]))
    assert masks["conv/kernel"].all() and masks["depthwise/kernel"].all()
    assert masks["transposed/kernel"][0, 0].tolist() == [[1] * 6, [0] * 6]
    assert CHAIN.units == 3 + 1  # the coupling itself is as it was


def test_all_sets_or_none():
    same, none = only(CHAIN, ["conv", "transposed"]), only(CHAIN, [])
    assert same.sets == CHAIN.sets
    assert as_lists(same.inputs) == as_lists(CHAIN.inputs)
    assert as_lists(same.outputs) == as_lists(CHAIN.outputs)
    assert (none.sets, none.units) == ((), 0)
    assert all((ids == -1).all() for ids in (*none.inputs.values(), *none.outputs.values()))


def test_the_channels_of_layers_without_kernels_follow():
    coupling = Coupling(sets(3, 2).sets, {}, {}, {}, {}, {"norm": np.array([3, 4, -1, 0])})
    assert only(coupling, ["1"]).channels["norm"].tolist() == [0, 1, -1, -1]


def test_sets_are_removable_where_every_kernel_that_makes_them_is_planned():
    every = list(CHAIN.outputs)
    assert removable(CHAIN, every) == ("conv", "transposed")
    assert removable(CHAIN, ["conv/kernel", "transposed/kernel"]) == (
        "transposed",
    )  # the depthwise one keeps the conv's
    assert removable(CHAIN, ["conv/kernel", "depthwise/kernel"]) == ("conv",)
    assert removable(CHAIN, []) == ()
