"""Whole numbers of units that keep limits: the arithmetic is that of two or three sets of a few units."""

import itertools

import numpy as np
import pytest

from tinyprune.budget.fitting import fit_counts


def linear(*rows, most):
    """Limits that are sums: each row what a unit of each set takes, over ``most`` of it."""
    return lambda counts: np.array(rows, float) @ counts / np.array(most, float)


def each(*worth):
    """Every unit of a set is worth the same; ``sizes`` of them go if none stays."""
    return lambda counts: -np.array(worth, float) * counts


def ranked(*worth):
    """The units of each set are worth these, the best first; those behind ``counts`` go."""
    return lambda counts: np.array(
        [sum(units[count:]) for units, count in zip(worth, counts, strict=True)], float
    )


def fit(wanted, sizes, ratios, lost, step=1):
    multiples = np.broadcast_to(step, len(sizes))
    found = fit_counts(np.array(wanted, float), sizes, ratios, lost, multiples)
    return None if found is None else found.tolist()


FREE = linear([0, 0], most=[1])


def test_what_is_wanted_is_rounded_to_the_step():
    full = linear([1, 1], most=[16 + 8])  # no room for a step more
    assert fit([17.0, 6.2], [32, 16], full, each(1, 1), 8) == [16, 8]
    assert fit([11.0, 13.0], [32, 16], full, each(1, 1), 8) == [8, 16]
    assert fit([1.0, 22.0], [32, 30], linear([1, 1], most=[32]), each(1, 1), 8) == [
        8,
        24,
    ]  # one step at least


def test_each_set_has_a_multiple_of_its_own():
    """Four heads of 16 channels beside 32 units: 8 units or one head at a time, 2 * 16 + 24 = 56."""
    assert fit([1.6, 26.0], [4, 32], linear([16, 1], most=[56]), each(1, 1), [1, 8]) == [2, 24]
    assert fit([0.1, 1.0], [4, 32], linear([16, 1], most=[56]), each(9, 1), [1, 8]) == [3, 8]


def test_a_set_stays_whole_where_that_is_nearest():
    assert fit([27.0, 3.0], [30, 16], linear([1, 1], most=[30 + 8]), each(1, 1), 8) == [30, 8]
    assert fit([25.0, 3.0], [30, 16], linear([1, 1], most=[24 + 8]), each(1, 1), 8) == [24, 8]
    assert fit([2.0, 5.0], [5, 8], linear([1, 1], most=[13]), each(1, 1), 8) == [
        5,
        8,
    ]  # fewer than a step


def test_the_cheapest_units_go_first():
    """Two units too many. A step off the first set costs 3 and halves nothing that matters more than the second's 1."""
    ratios, lost = linear([1, 1], most=[10]), each(3, 1)
    assert fit([8, 4], [8, 4], ratios, lost, 2) == [8, 2]
    assert fit([8, 4], [8, 4], ratios, each(1, 3), 2) == [6, 4]


def test_cheap_is_worth_over_what_it_takes():
    """A unit of the first is worth 2 and takes 4; of the second 1 and takes 1: the first goes, and one is enough.

    log(24 / 20) = 0.18 for 2 is 11 for each, log(24 / 23) = 0.043 for 1 is 23 for each.
    """
    ratios = linear([4, 1], most=[20])
    assert fit([5, 4], [5, 4], ratios, each(2, 1)) == [4, 4]
    # at 0.1 the second's go first, which is not enough even if one stays: the first's goes too, and
    # they come back
    assert fit([5, 4], [5, 4], ratios, each(2, 0.1)) == [4, 4]


def test_hand_computed_by_rank():
    """Worths 9, 5, 1 and 8, 4, 2 take one each; three of six may stay: 1, 2 and 4 go."""
    assert fit([3, 3], [3, 3], linear([1, 1], most=[3]), ranked([9, 5, 1], [8, 4, 2])) == [2, 1]


def test_only_what_takes_of_a_limit_that_is_passed_goes():
    """The first limit is passed and only the second set takes of it, however much more it is worth."""
    ratios = linear([0, 2], [1, 0], most=[6, 100])
    assert fit([9, 9], [9, 9], ratios, each(0.001, 50)) == [9, 3]


def test_what_was_cut_too_much_comes_back_where_it_is_worth_most():
    """One unit of the first takes 7: without it there are 6 to give away, and 2 each for units of the second."""
    ratios, lost = linear([7, 2], most=[20]), each(1, 1)
    assert fit([2, 4], [3, 9], ratios, lost) == [1, 6]
    assert fit([1, 1], [4, 4], linear([1, 1], most=[5]), ranked([9, 1, 1, 1], [9, 8, 7, 6])) == [
        1,
        4,
    ]


def test_nothing_goes_that_need_not():
    assert fit([3.2, 2.7], [8, 8], FREE, each(1, 1)) == [8, 8]  # and all comes back
    assert fit([8, 8], [8, 8], linear([1, 1], most=[16]), each(1, 1)) == [8, 8]


def test_none_where_even_the_fewest_are_too_many():
    ratios = linear([1, 1], most=[15])
    assert fit([32, 32], [32, 32], ratios, each(1, 1), 8) is None
    assert sum(fit([32, 32], [32, 32], ratios, each(1, 1), 4)) == 12
    assert (
        fit([3, 3], [3, 3], lambda counts: np.array([2.0]), each(1, 1)) is None
    )  # a limit that no unit takes of
    assert (
        fit_counts(np.zeros(0), [], lambda counts: np.array([2.0]), lambda counts: np.zeros(0), 1)
        is None
    )
    assert (
        len(
            fit_counts(
                np.zeros(0), [], lambda counts: np.array([0.5]), lambda counts: np.zeros(0), 1
            )
        )
        == 0
    )


def test_a_peak_that_two_sets_share_falls_only_with_both():
    """The maximum of two sums: one unit fewer of either alone changes nothing."""

    def peak(counts):
        return np.array([max(counts) / 6])

    assert fit([8, 8], [8, 8], peak, each(1, 1)) == [6, 6]
    assert fit([8, 8, 8], [8, 8, 8], peak, each(5, 3, 1), 2) == [6, 6, 6]


def test_memory_that_falls_in_stairs():
    """Channels are stored in bricks of 16: eight fewer may save nothing, and sixteen fewer do."""

    def stairs(counts):
        return np.array([16 * np.ceil(counts[0] / 16) / 32, 0.5])

    assert fit([64, 8], [64, 8], stairs, each(1, 1), 8) == [32, 8]
    assert fit([62, 8], [64, 8], stairs, each(1, 0.001)) == [32, 8]


def test_a_unit_that_brings_nothing_does_not_go_for_a_peak_elsewhere():
    """The peak is that of the first two; the third set is far below it, and its units are worth next to nothing."""
    found = fit([8, 8, 3], [8, 8, 3], lambda counts: np.array([max(counts) / 6]), each(5, 5, 0.01))
    assert found == [6, 6, 3]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("step", [1, 4])
def test_limits_are_kept_and_counts_are_multiples_or_whole(seed, step):
    """Random sums and a random peak: no limit is passed, nothing more fits, and no step fewer was asked for."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 20, 3).tolist()
    takes, worth = (
        rng.uniform(0.1, 5, (2, 3)),
        [np.sort(rng.uniform(0, 1, size))[::-1] for size in sizes],
    )

    def of(counts):
        pair = max(counts[0] + counts[1], counts[1] + counts[2])
        return np.array([*(takes @ counts), pair])

    least, whole = np.minimum(sizes, step), np.array(sizes)
    most = of(least) + rng.uniform(0.05, 0.8, 3) * (of(whole) - of(least) + 1e-9)
    ratios, lost = (lambda counts: of(counts) / most), ranked(*worth)
    found = fit_counts(rng.uniform(0, 1, 3) * sizes, sizes, ratios, lost, np.full(3, step))
    assert (ratios(found) <= 1).all()
    assert all(count % step == 0 or count == size for count, size in zip(found, sizes, strict=True))
    assert (found >= least).all() and (found <= whole).all()
    for number in np.flatnonzero(found < whole):
        more = found.copy()
        more[number] = min(whole[number], (found[number] // step + 1) * step)
        assert (ratios(more) > 1).any()


def test_what_can_be_kept_is_kept():
    """Against every combination of three small sets: None exactly where there is none."""
    for most in np.linspace(2, 14, 7):
        for sizes in ([3, 4, 2], [1, 1, 5]):

            def ratios(counts, most=most):
                return np.array([max(counts[0] + counts[1], 2 * counts[2]) / most])

            ranges = [range(1, size + 1) for size in sizes]
            possible = any(
                (ratios(np.array(counts)) <= 1).all() for counts in itertools.product(*ranges)
            )
            assert (fit(sizes, sizes, ratios, each(1, 2, 3)) is not None) == possible
