import numpy as np
import pytest

from tinyprune.errors import UsageError
from tinyprune.sparsity.masks import masks

INF = np.inf


def alone(importance: list[float], sparsity: float) -> list[float]:
    return masks({"a": np.array(importance)}, {"a": np.arange(len(importance))}, sparsity, "layer")[
        "a"
    ].tolist()


@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize(
    ("sparsity", "groups", "expected"),
    [
        (0.3, 10, 3),
        (0.7, 10, 7),
        (0.29, 100, 29),
        (0.57, 100, 57),
        (0.9, 1000, 900),
        (0.99, 10, 9),
        (0.05, 10, 0),
    ],
)
def test_a_decimal_fraction_means_what_it_says(sparsity, groups, expected, scope):
    importance = np.random.default_rng(0).random(groups)
    found = masks({"a": importance}, {"a": np.arange(groups)}, sparsity, scope)["a"]
    assert (found == 0).sum() == expected
    assert set(np.argsort(importance)[:expected]) == set(np.flatnonzero(found == 0))


def test_of_equals_the_last_goes_first():
    assert alone([1, 1, 1, 1], 0.5) == [1, 1, 0, 0]
    assert alone([2, 0, 1, 1, 1, 0], 4 / 6) == [1, 0, 1, 0, 0, 0]
    assert alone([0, 0, 1, 1], 0.25) == [1, 0, 1, 1]


def test_infinite_importance_always_stays():
    assert alone([INF, 3, INF, 1], 0.25) == [1, 1, 1, 0]
    assert alone([INF, 3, INF, 1], 0.5) == [1, 0, 1, 0]
    assert alone([INF, 3, INF, 1], 0.9) == [1, 0, 1, 0]
    assert alone([INF, INF], 0.99) == [1, 1]


def test_a_weight_that_is_no_number_stays_and_breaks_nothing_else():
    assert alone([np.nan, 3, 2, 1], 0.5) == [1, 1, 0, 0]
    assert alone([np.nan, 3, INF, 1], 0.99) == [1, 0, 1, 0]


def test_what_stays_of_one_kernel_is_taken_from_the_other():
    importances = {"a": np.array([1.0, INF, INF, INF]), "b": np.array([5.0, 6.0, 7.0, 8.0])}
    ids = dict.fromkeys("ab", np.arange(4))
    found = masks(importances, ids, 0.5, "global")
    assert (found["a"].tolist(), found["b"].tolist()) == ([0, 1, 1, 1], [0, 0, 0, 1])
    found = masks(importances, ids, 0.5, "layer")
    assert (found["a"].tolist(), found["b"].tolist()) == ([0, 1, 1, 1], [0, 0, 1, 1])


def test_importances_of_several_precisions_are_ranked_together():
    importances = {"a": np.array([1.0, 4.0], np.float32), "b": np.array([2.0, 3.0])}
    found = masks(importances, dict.fromkeys("ab", np.arange(2)), 0.5, "global")
    assert (found["a"].tolist(), found["b"].tolist()) == ([0, 1], [0, 1])


def test_an_unknown_scope_is_refused():
    with pytest.raises(UsageError, match="^unknown scope 'model': expected one of: global, layer$"):
        masks({"a": np.ones(1)}, {"a": np.arange(1)}, 0.5, "model")
