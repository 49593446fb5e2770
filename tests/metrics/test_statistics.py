import numpy as np
import pytest

from tinyprune.metrics.statistics import Estimate, estimates, normal_half_width


def column(*values):
    return np.asarray(values, float)[:, None]


def test_mean_and_median_of_what_is_there():
    [found] = estimates(column(1, 2, 6, np.nan))
    assert (found.mean, found.median, found.count) == ((1 + 2 + 6) / 3, 2, 3)


@pytest.mark.parametrize("items", [50, 800])
def test_the_interval_is_that_of_a_normal_mean(items):
    """1.96 deviations of the mean to either side, for many items."""
    values = np.random.default_rng(0).normal(3, 2, items)
    [found] = estimates(values[:, None])
    half = 1.96 * values.std() / np.sqrt(items)
    assert (found.low, found.high) == (
        pytest.approx(values.mean() - half, abs=0.05 * half),
        pytest.approx(values.mean() + half, abs=0.05 * half),
    )
    assert found.half_width == pytest.approx(half, rel=0.05)


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_the_interval_of_a_normal_mean_is_about_the_one_of_the_bootstrap(share):
    """Of right and wrong answers, which are as far from normal as can be."""
    values = (np.arange(200) < 200 * share).astype(float)
    [found] = estimates(values[:, None])
    assert normal_half_width(values) == pytest.approx(found.half_width, rel=0.06)
    with_gaps = np.append(values, [np.nan] * 50)
    assert normal_half_width(with_gaps) == normal_half_width(values)


def test_one_value_has_no_interval():
    assert normal_half_width(np.array([1.0, np.nan])) is None


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(1)
    found = estimates(rng.exponential(1.0, (60, 300)))
    assert 0.9 < np.mean([one.low <= 1.0 <= one.high for one in found]) < 0.97


def test_it_is_scipy_s_percentile_bootstrap():
    import scipy.stats

    values = np.random.default_rng(2).exponential(1.0, 40)
    options = {"n_resamples": 10_000, "method": "percentile", "rng": np.random.default_rng(0)}
    expected = scipy.stats.bootstrap((values,), np.mean, **options).confidence_interval
    [found] = estimates(values[:, None])
    assert (found.low, found.high) == (
        pytest.approx(expected.low, abs=0.02),
        pytest.approx(expected.high, abs=0.02),
    )


def test_a_paired_difference_is_surer_than_the_difference_of_means():
    rng = np.random.default_rng(0)
    before = rng.normal(0, 5, 100)
    after = before - 0.2 + rng.normal(0, 0.3, 100)
    first, second, change = estimates(np.stack([before, after, after - before], axis=1))
    assert change.sign == -1
    assert change.half_width < first.half_width / 10
    assert change.mean == pytest.approx(second.mean - first.mean)


def test_undefined_values_do_not_change_the_interval_of_the_others():
    values = np.random.default_rng(0).normal(0, 1, 200)
    [whole] = estimates(values[:, None])
    [half] = estimates(np.where(np.arange(400) < 200, np.resize(values, 400), np.nan)[:, None])
    assert (half.count, half.mean) == (200, whole.mean)
    assert (half.low, half.high) == (
        pytest.approx(whole.low, abs=0.02),
        pytest.approx(whole.high, abs=0.02),
    )


def test_the_same_numbers_give_the_same_interval():
    values = np.random.default_rng(0).normal(0, 1, (30, 2))
    assert estimates(values) == estimates(values)
    assert estimates(values, seed=1) != estimates(values)
    assert estimates(values[:, 1:])[0].low == pytest.approx(estimates(values)[1].low, rel=1e-12)


def test_one_value_has_no_interval_and_none_has_nothing():
    columns = np.array([[4.0, np.nan], [np.nan, np.nan]])
    assert estimates(columns) == [Estimate(4.0, 4.0, None, None, 1), None]


def test_equal_values_are_sure():
    [found] = estimates(column(2, 2, 2))
    assert (found.low, found.high, found.sign) == (2, 2, 1)


@pytest.mark.parametrize(
    ("low", "high", "sign"), [(1, 2, 1), (-2, -1, -1), (-1, 1, 0), (0, 1, 0), (None, None, 0)]
)
def test_the_sign_needs_the_whole_interval(low, high, sign):
    assert Estimate(0.5, 0.5, low, high, 9).sign == sign
