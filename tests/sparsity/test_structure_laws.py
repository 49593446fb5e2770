"""What every structure promises, whatever its groups are. A newly registered structure is tested by itself."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tinyprune.registry import IMPORTANCES, STRUCTURES
from tinyprune.sparsity.block import Block
from tinyprune.sparsity.importance import SCALE_FREE, l1
from tinyprune.sparsity.masks import masks
from tinyprune.sparsity.n_m import NOfM
from tinyprune.sparsity.structure import Structure, parse


def rows(shape: tuple[int, ...]) -> np.ndarray:
    """A structure of this test, so that the laws meet groups of several weights: one group per first index."""
    return np.broadcast_to(np.arange(shape[0]).reshape(-1, *[1] * (len(shape) - 1)), shape)


def fitted(name: str, shape: tuple[int, ...]) -> Structure:
    """The structure of a name, with numbers that suit a kernel of this shape if it takes any."""
    if name == "block":
        return Block(rows=min(2, shape[-2]), columns=min(3, shape[-1]))
    return parse(STRUCTURES[name].example)


OWN = SimpleNamespace(groups=rows, ranked=lambda importance, shape: importance)
MASKS = [name for name, structure in STRUCTURES.items() if not structure.replaces_layers]
STRUCTURE = {name: lambda shape, name=name: fitted(name, shape) for name in MASKS}
every_structure = pytest.mark.parametrize(
    "structure", [*STRUCTURE.values(), lambda shape: OWN], ids=[*STRUCTURE, "rows of this test"]
)

shapes = st.lists(st.integers(1, 9), min_size=2, max_size=4).map(tuple)
percents = st.integers(0, 99)
seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=40, deadline=None)


def kernel(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Small whole numbers, so that many groups are worth the same."""
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(np.float32)


def masked(
    kernels: dict[str, np.ndarray], structure, percent: int, scope: str
) -> tuple[dict, dict, dict]:
    """Masks, group ids and importances of kernels."""
    found = {key: structure(values.shape) for key, values in kernels.items()}
    ids = {key: found[key].groups(values.shape) for key, values in kernels.items()}
    worth = {
        key: found[key].ranked(l1(values, ids[key]), values.shape)
        for key, values in kernels.items()
    }
    return masks(worth, ids, percent / 100, scope), ids, worth


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
def test_ids_have_the_shape_of_the_kernel_and_no_gaps(structure, shape):
    ids = structure(shape).groups(shape)
    assert ids.shape == shape
    assert np.issubdtype(ids.dtype, np.integer)
    np.testing.assert_array_equal(np.unique(ids), np.arange(ids.max() + 1))
    np.testing.assert_array_equal(ids, structure(shape).groups(shape))


@every_structure
@quick
@given(shape=shapes, percent=percents, seed=seeds)
def test_the_floor_of_the_groups_goes_as_a_whole(structure, shape, percent, seed):
    """As far as the structure lets them: what is worth +inf stays."""
    found, ids, worth = masked({"a": kernel(shape, seed)}, structure, percent, "layer")
    away = gone(found["a"], ids["a"])
    assert away.sum() == min(percent * (ids["a"].max() + 1) // 100, np.isfinite(worth["a"]).sum())
    assert not away[np.isinf(worth["a"])].any()


@every_structure
@quick
@given(shape=shapes, percent=percents, seed=seeds)
def test_what_goes_is_worth_no_more_than_what_stays(structure, shape, percent, seed):
    found, ids, worth = masked({"a": kernel(shape, seed)}, structure, percent, "layer")
    away = gone(found["a"], ids["a"])
    assume(away.any())
    assert worth["a"][away].max() <= worth["a"][~away].min()


@every_structure
@quick
@given(first=shapes, second=shapes, percent=percents, seed=seeds)
def test_global_scope_counts_and_ranks_all_kernels_together(
    structure, first, second, percent, seed
):
    kernels = {"a": kernel(first, seed), "b": 2 * kernel(second, seed + 1)}
    found, ids, importances = masked(kernels, structure, percent, "global")
    away = np.concatenate([gone(found[key], ids[key]) for key in kernels])
    worth = np.concatenate([importances[key] for key in kernels])
    assert away.sum() == min(
        percent * ((ids["a"].max() + 1) + (ids["b"].max() + 1)) // 100, np.isfinite(worth).sum()
    )
    assume(away.any())
    assert worth[away].max() <= worth[~away].min()


@every_structure
@quick
@given(first=shapes, second=shapes, percent=percents, seed=seeds)
def test_layer_scope_leaves_kernels_to_themselves(structure, first, second, percent, seed):
    kernels = {"a": kernel(first, seed), "b": 2 * kernel(second, seed + 1)}
    together, _, _ = masked(kernels, structure, percent, "layer")
    for key, values in kernels.items():
        alone, _, _ = masked({key: values}, structure, percent, "layer")
        np.testing.assert_array_equal(together[key], alone[key])


@every_structure
@quick
@given(shape=shapes, seed=seeds, scope=st.sampled_from(["global", "layer"]))
def test_sparsity_0_keeps_all(structure, shape, seed, scope):
    found, _, _ = masked({"a": kernel(shape, seed), "b": np.zeros(shape)}, structure, 0, scope)
    assert all(mask.all() for mask in found.values())


@every_structure
@quick
@given(shape=shapes, percent=percents, seed=seeds, scope=st.sampled_from(["global", "layer"]))
def test_masks_are_deterministic_even_among_equals(structure, shape, percent, seed, scope):
    kernels = {"a": kernel(shape, seed), "b": np.ones(shape)}
    first, second = (masked(kernels, structure, percent, scope)[0] for _ in range(2))
    for key in kernels:
        np.testing.assert_array_equal(first[key], second[key])


@every_structure
@quick
@given(first=shapes, second=shapes, seed=seeds, scope=st.sampled_from(["global", "layer"]))
def test_more_sparsity_brings_no_group_back(structure, first, second, seed, scope):
    kernels = {"a": kernel(first, seed), "b": 2 * kernel(second, seed + 1)}
    before, _, _ = masked(kernels, structure, 0, scope)
    for percent in (10, 30, 35, 60, 90, 99):
        found, _, _ = masked(kernels, structure, percent, scope)
        assert all(np.all(found[key] <= before[key]) for key in kernels)
        before = found


MEANS = sorted(set(IMPORTANCES) - SCALE_FREE)


@every_structure
@pytest.mark.parametrize("importance", [IMPORTANCES[name] for name in MEANS], ids=MEANS)
@quick
@given(shape=shapes, seed=seeds)
def test_an_importance_with_a_scale_is_between_the_least_and_the_most_of_its_group(
    structure, importance, shape, seed
):
    ids, values = structure(shape).groups(shape), kernel(shape, seed)
    found = importance(values**2, ids)
    assert found.shape == (ids.max() + 1,)
    inside = [values[ids == group] ** 2 for group in range(min(len(found), 20))]
    for worth, of_group in zip(found, inside, strict=False):
        assert of_group.min() <= worth * (1 + 1e-6)
        assert worth <= of_group.max() * (1 + 1e-6)


@every_structure
@pytest.mark.parametrize("name", sorted(SCALE_FREE))
@quick
@given(shape=shapes, seed=seeds, power=st.integers(-60, 60))
def test_an_importance_free_of_scale_does_not_know_the_scale_of_its_kernel(
    structure, name, shape, seed, power
):
    ids, values = structure(shape).groups(shape), kernel(shape, seed)
    found = IMPORTANCES[name](values, ids)
    assert found.shape == (ids.max() + 1,)
    scaled = IMPORTANCES[name](values * np.float32(2.0**power), ids)
    np.testing.assert_allclose(scaled, found, rtol=1e-6)


@quick
@given(
    shape=shapes,
    m=st.integers(2, 6),
    n=st.integers(1, 5),
    seed=seeds,
    scope=st.sampled_from(["global", "layer"]),
)
def test_every_run_keeps_n_of_m_at_the_final_sparsity(shape, m, n, seed, scope):
    assume(n < m)
    structure, values = NOfM(n, m), kernel(shape, seed)
    worth = structure.ranked(np.abs(values).ravel(), shape)
    ids = structure.groups(shape)
    mask = masks({"a": worth}, {"a": ids}, structure.fixed_sparsity, scope)["a"]
    for start in range(0, shape[-2], m):
        run = slice(start, start + m)
        kept, magnitudes = mask[..., run, :] == 1, np.abs(values[..., run, :])
        size = kept.shape[
            -2
        ]  # n of a full run; of the last one, as many as a run padded with zeros keeps
        np.testing.assert_array_equal(kept.sum(axis=-2), min(n, size))
        stays = np.where(kept, magnitudes, np.inf).min(axis=-2)
        goes = np.where(kept, -np.inf, magnitudes).max(axis=-2)
        assert np.all(goes <= stays)
