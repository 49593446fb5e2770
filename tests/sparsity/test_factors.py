"""Kernels as products of two, and the ranks of several kernels."""

import numpy as np
import pytest

from tinyprune.sparsity.factors import (
    Factorisation,
    InputStatistics,
    RankOption,
    RankOptions,
    choose_ranks,
    rank_options,
)


def statistics(rows: np.ndarray) -> InputStatistics:
    return InputStatistics(rows.mean(0), np.cov(rows.T, bias=True))


def error(kernel: np.ndarray, rows: np.ndarray, found: Factorisation, rank: int) -> float:
    """Mean squared error of the outputs on the inputs themselves."""
    factors = found.factors(rank)
    made = rows @ factors.first @ factors.second + factors.shift
    return float(np.mean((rows @ kernel - made) ** 2))


def correlated(rng: np.random.Generator, rows: int, variances: list[float]) -> np.ndarray:
    """Inputs (rows, n) with these variances along directions that are turned, and a mean."""
    n = len(variances)
    turned, _ = np.linalg.qr(rng.normal(size=(n, n)))
    return rng.normal(size=(rows, n)) * np.sqrt(variances) @ turned.T + rng.normal(size=n)


def test_a_kernel_of_rank_2_is_recovered_by_two_factors_of_rank_2():
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(12, 2)) @ rng.normal(size=(2, 9))
    rows = correlated(rng, 500, [9.0, 4.0, 1.0, *[0.1] * 9])
    found = Factorisation(kernel.astype(np.float32), statistics(rows))
    assert found.rank == 2
    assert found.kept[1] == pytest.approx(1.0)
    factors = found.factors(2)
    assert (factors.first.shape, factors.second.shape) == ((12, 2), (2, 9))
    np.testing.assert_allclose(factors.first @ factors.second, kernel, atol=1e-6)
    np.testing.assert_allclose(factors.shift, 0, atol=1e-5)


def test_both_factors_have_an_even_share_of_the_scale():
    """A channel between them has the standard deviation of the root of what it makes of the outputs."""
    rng = np.random.default_rng(1)
    rows = correlated(rng, 4000, [4.0, 1.0, 0.25, 0.25])
    found = Factorisation(100 * rng.normal(size=(4, 5)), statistics(rows))
    factors = found.factors(3)
    inside = (rows @ factors.first).std(0)
    np.testing.assert_allclose(inside, np.linalg.norm(factors.second, axis=1), rtol=0.05)


def test_inputs_decide_which_ranks_matter():
    """Of diag(3, 1) and inputs of variance 1 and 100 the second direction makes 100 of 109 parts."""
    kernel = np.diag([3.0, 1.0])
    inputs = InputStatistics(np.zeros(2), np.diag([1.0, 100.0]))
    weighted = Factorisation(kernel, inputs).factors(1)
    plain = Factorisation(kernel, InputStatistics.white(2)).factors(1)
    np.testing.assert_allclose(weighted.first @ weighted.second, [[0, 0], [0, 1]], atol=1e-9)
    np.testing.assert_allclose(plain.first @ plain.second, [[3, 0], [0, 0]], atol=1e-9)


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_on_correlated_inputs_it_beats_the_plain_svd(rank):
    rng = np.random.default_rng(2)
    kernel = rng.normal(size=(16, 12))
    rows = correlated(rng, 2000, [2.0**-k for k in range(16)])
    weighted = error(kernel, rows, Factorisation(kernel, statistics(rows)), rank)
    plain = error(kernel, rows, Factorisation(kernel, InputStatistics.white(16)), rank)
    assert weighted < 0.7 * plain


def test_the_variance_that_is_kept_is_that_of_the_outputs():
    rng = np.random.default_rng(3)
    kernel = rng.normal(size=(8, 6))
    rows = correlated(rng, 5000, [4.0**-k for k in range(8)])
    found = Factorisation(kernel, statistics(rows))
    variance = float(np.mean(((rows - rows.mean(0)) @ kernel) ** 2))
    for rank in (1, 3):
        lost = error(kernel, rows, found, rank) / variance
        assert 1 - found.kept[rank - 1] == pytest.approx(lost, abs=0.02)  # of the least variance


def test_the_mean_of_the_inputs_goes_into_the_bias():
    """Inputs that never change have no variance, and no rank at all is needed for what they make."""
    kernel = np.array([[1.0, 2.0], [5.0, 7.0]])
    rows = np.stack([np.random.default_rng(4).normal(size=300), np.full(300, 3.0)], 1)
    found = Factorisation(kernel, statistics(rows))
    assert error(kernel, rows, found, 1) < 0.01


def test_a_kernel_of_zeros_has_one_rank_that_keeps_all():
    found = Factorisation(np.zeros((4, 3)), InputStatistics.white(4))
    assert (found.rank, found.kept[0]) == (1, 1.0)
    assert not found.factors(1).first.any()


def test_inputs_that_are_all_the_same_count_as_if_nothing_was_known_of_them():
    kernel = np.random.default_rng(5).normal(size=(4, 3))
    same = Factorisation(kernel, InputStatistics(np.ones(4), np.zeros((4, 4))))
    white = Factorisation(kernel, InputStatistics.white(4))
    np.testing.assert_allclose(same.kept, white.kept)


# --- ranks that save weights


def test_ranks_are_multiples_that_save_weights():
    """16x16 = 256 weights, rank r has 32 r: 4 of 128, 6 of 192; 8 has 256 and saves nothing."""
    found = Factorisation(np.random.default_rng(6).normal(size=(16, 16)), InputStatistics.white(16))
    assert (found.weights(4), found.weights_whole) == (128, 256)
    options = rank_options(found, 2)
    assert [(item.rank, item.weights) for item in options.options] == [(6, 192), (4, 128), (2, 64)]
    assert options.saved(4) == 128
    assert rank_options(found, 8).options == ()


def test_the_rank_that_a_kernel_has_is_one_of_them():
    rng = np.random.default_rng(7)
    kernel = rng.normal(size=(30, 3)) @ rng.normal(size=(3, 20))
    options = rank_options(Factorisation(kernel, InputStatistics.white(30)), 8)
    assert [(item.rank, item.weights) for item in options.options] == [(3, 3 * 50)]


# --- ranks of several kernels


def layer(weights: int, **kept: float) -> RankOptions:
    """A kernel with ranks r1, r2, ..., of 10 weights each."""
    ranks = sorted((int(name[1:]) for name in kept), reverse=True)
    options = [RankOption(rank, 10 * rank, kept[f"r{rank}"]) for rank in ranks]
    return RankOptions(RankOption(99, weights, 1.0), tuple(options))


def test_the_kernel_that_loses_least_for_its_weights_goes_first():
    """Each saves 60 weights at rank 4 and 80 at 2; the hard one loses more than ten times as much.

    Of 100 that are to go, 80 + 60 are the first that do, and 60 + 60 are enough.
    """
    layers = {"easy": layer(100, r4=0.99, r2=0.98), "hard": layer(100, r4=0.7, r2=0.5)}
    assert choose_ranks(layers, 0.2) == {"easy": 4}
    assert choose_ranks(layers, 0.4) == {"easy": 2}
    assert choose_ranks(layers, 0.5) == {"easy": 4, "hard": 4}
    assert choose_ranks(layers, 0.7) == {"easy": 2, "hard": 4}
    assert choose_ranks(layers, 0.9) == {"easy": 2, "hard": 2}  # 0.8 is all there is
    assert choose_ranks(layers, 0.0) == {}


def test_a_rank_that_is_dearer_than_those_around_it_is_left_out_of_the_path():
    """From 1.0 to 0.6 and on to 0.59: whoever goes to rank 4 goes to rank 2 at once."""
    steps = list(layer(100, r4=0.6, r2=0.59).path())
    assert [option.rank for _, option in steps] == [2]
    steps = list(layer(100, r4=0.9, r2=0.5).path())
    assert [option.rank for _, option in steps] == [4, 2]
    prices = [price for price, _ in steps]
    assert prices == pytest.approx([-np.log(0.9) / 60, -np.log(0.5 / 0.9) / 20])


def test_what_goes_without_need_is_given_back():
    """0.3 of 100 weights are needed, and the path goes to 20 at once: 60 weights do, with more kept."""
    layers = {"a": layer(100, r6=0.6, r2=0.59)}
    assert choose_ranks(layers, 0.3) == {"a": 6}


def test_a_kernel_is_whole_again_where_another_has_lost_enough():
    """a loses 10 at first and b 90 after it: of 100 wanted weights, 90 would do for 0.45 of 200."""
    layers = {"a": layer(100, r9=0.9999), "b": layer(100, r1=0.9)}
    assert choose_ranks(layers, 0.45) == {"b": 1}
    assert choose_ranks(layers, 0.5) == {"a": 9, "b": 1}
