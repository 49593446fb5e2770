"""What every structure promises, whatever its groups are. A newly registered structure is tested by itself."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tinyprune.registry import STRUCTURES
from tinyprune.sparsity.masks import magnitude, masks


def rows(shape: tuple[int, ...]) -> np.ndarray:
    """A structure of this test, so that the laws meet groups of several weights: one group per first index."""
    return np.broadcast_to(np.arange(shape[0]).reshape(-1, *[1] * (len(shape) - 1)), shape)


GROUPS = {**{name: STRUCTURES[name] for name in STRUCTURES}, "rows of this test": rows}
every_structure = pytest.mark.parametrize("groups", GROUPS.values(), ids=GROUPS)

shapes = st.lists(st.integers(1, 9), min_size=2, max_size=4).map(tuple)
percents = st.integers(0, 99)
seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=40, deadline=None)


def kernel(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Small whole numbers, so that many groups are worth the same."""
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(np.float32)


def masked(kernels: dict[str, np.ndarray], groups, percent: int, scope: str) -> tuple[dict, dict, dict]:
    """Masks, group ids and importances of kernels."""
    ids = {key: groups(values.shape) for key, values in kernels.items()}
    importances = {key: magnitude(values, ids[key]) for key, values in kernels.items()}
    return masks(importances, ids, percent / 100, scope), ids, importances


def gone(mask: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Whether each group is masked, shape (groups,); fails if a group is cut in two."""
    assert mask.shape == ids.shape
    assert set(np.unique(mask)) <= {0, 1}
    sizes = np.bincount(ids.ravel())
    kept = np.bincount(ids.ravel(), mask.ravel())
    assert np.all((kept == 0) | (kept == sizes))
    return kept == 0


@every_structure
@quick
@given(shape=shapes)
def test_ids_have_the_shape_of_the_kernel_and_no_gaps(groups, shape):
    ids = groups(shape)
    assert ids.shape == shape
    assert np.issubdtype(ids.dtype, np.integer)
    np.testing.assert_array_equal(np.unique(ids), np.arange(ids.max() + 1))
    np.testing.assert_array_equal(ids, groups(shape))


@every_structure
@quick
@given(shape=shapes, percent=percents, seed=seeds)
def test_the_floor_of_the_groups_goes_as_a_whole(groups, shape, percent, seed):
    found, ids, _ = masked({"a": kernel(shape, seed)}, groups, percent, "layer")
    assert gone(found["a"], ids["a"]).sum() == percent * (ids["a"].max() + 1) // 100


@every_structure
@quick
@given(shape=shapes, percent=percents, seed=seeds)
def test_what_goes_is_worth_no_more_than_what_stays(groups, shape, percent, seed):
    found, ids, importances = masked({"a": kernel(shape, seed)}, groups, percent, "layer")
    away = gone(found["a"], ids["a"])
    assume(away.any())
    assert importances["a"][away].max() <= importances["a"][~away].min()


@every_structure
@quick
@given(first=shapes, second=shapes, percent=percents, seed=seeds)
def test_global_scope_counts_and_ranks_all_kernels_together(groups, first, second, percent, seed):
    kernels = {"a": kernel(first, seed), "b": 2 * kernel(second, seed + 1)}
    found, ids, importances = masked(kernels, groups, percent, "global")
    away = np.concatenate([gone(found[key], ids[key]) for key in kernels])
    worth = np.concatenate([importances[key] for key in kernels])
    assert away.sum() == percent * ((ids["a"].max() + 1) + (ids["b"].max() + 1)) // 100
    assume(away.any())
    assert worth[away].max() <= worth[~away].min()


@every_structure
@quick
@given(first=shapes, second=shapes, percent=percents, seed=seeds)
def test_layer_scope_leaves_kernels_to_themselves(groups, first, second, percent, seed):
    kernels = {"a": kernel(first, seed), "b": 2 * kernel(second, seed + 1)}
    together, _, _ = masked(kernels, groups, percent, "layer")
    for key, values in kernels.items():
        alone, _, _ = masked({key: values}, groups, percent, "layer")
        np.testing.assert_array_equal(together[key], alone[key])


@every_structure
@quick
@given(shape=shapes, seed=seeds, scope=st.sampled_from(["global", "layer"]))
def test_sparsity_0_keeps_all(groups, shape, seed, scope):
    found, _, _ = masked({"a": kernel(shape, seed), "b": np.zeros(shape)}, groups, 0, scope)
    assert all(mask.all() for mask in found.values())


@every_structure
@quick
@given(shape=shapes, percent=percents, seed=seeds, scope=st.sampled_from(["global", "layer"]))
def test_masks_are_deterministic_even_among_equals(groups, shape, percent, seed, scope):
    kernels = {"a": kernel(shape, seed), "b": np.ones(shape)}
    first, second = (masked(kernels, groups, percent, scope)[0] for _ in range(2))
    for key in kernels:
        np.testing.assert_array_equal(first[key], second[key])


@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize(
    ("sparsity", "groups", "expected"),
    [(0.3, 10, 3), (0.7, 10, 7), (0.29, 100, 29), (0.57, 100, 57), (0.9, 1000, 900), (0.99, 10, 9), (0.05, 10, 0)],
)
def test_a_decimal_fraction_means_what_it_says(sparsity, groups, expected, scope):
    importance = np.random.default_rng(0).random(groups)
    found = masks({"a": importance}, {"a": np.arange(groups)}, sparsity, scope)["a"]
    assert (found == 0).sum() == expected
    assert set(np.argsort(importance)[:expected]) == set(np.flatnonzero(found == 0))


def test_a_group_is_worth_its_mean_absolute_weight():
    values = np.array([[1, -3, 2], [0, 0, 6], [-1, -1, -1]], np.float32)
    expected = [(1 + 3 + 2) / 3, (0 + 0 + 6) / 3, (1 + 1 + 1) / 3]
    np.testing.assert_allclose(magnitude(values, rows((3, 3))), expected)


def test_big_groups_are_not_worth_more_for_being_big():
    ids = np.array([[0, 0, 0, 1]])
    found = masks({"a": magnitude(np.array([[1.0, 1.0, 1.0, 2.0]]), ids)}, {"a": ids}, 0.5, "layer")["a"]
    np.testing.assert_array_equal(found, [[0, 0, 0, 1]])
