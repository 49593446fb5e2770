"""The three roundings, by hand and against Python's integers."""

import numpy as np
import pytest

from tinyprune.npu.stream.rescaling import Rescaling, Rounding, _rounded

HALF = 1 << 30  # scale 2^30 with shift 31: half


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [
        (Rounding.DOUBLE, [-2, -1, -1, 0, 0, 1, 1, 2, 2]),  # halves up: one rounding, at 2^-31
        (Rounding.NATURAL, [-2, -1, -1, 0, 0, 1, 1, 2, 2]),
        (Rounding.TRUNCATE, [-2, -1, -1, 0, 0, 0, 1, 1, 2]),
    ],
)
def test_half_of_small_numbers(rounding, expected):
    values = np.arange(-4, 5)
    assert Rescaling(HALF, 31, rounding)(values).tolist() == expected


def test_the_second_rounding_goes_away_from_zero():
    # scale 2^30, shift 32: a quarter, rounded to halves (up), then to integers (away from zero).
    # -6: -3 -> -1.5 -> -2; -1: -0.5 -> 0; 6: 3 -> 1.5 -> 2
    assert Rescaling(HALF, 32, Rounding.DOUBLE)(np.array([-6, -1, 1, 6])).tolist() == [-2, 0, 1, 2]


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("shift", [0, 7, 30, 31, 40, 62])
def test_arrays_are_rounded_as_single_numbers(rounding, shift):
    rng = np.random.default_rng(shift)
    scale = rng.integers(1 << 20, 1 << 22, 50)
    values = rng.integers(-(1 << 24), 1 << 24, (3, 50)) >> max(0, 12 - shift)
    scaled = Rescaling(scale, np.full(50, shift), rounding)(values)
    for place in np.ndindex(3, 50):
        product = int(values[place]) * int(scale[place[1]])
        wide = _rounded(product, shift, rounding)
        assert scaled[place] == (wide + 2**63) % 2**64 - 2**63


def test_products_that_do_not_fit_64_bit_are_exact():
    # 2^40 * 2^31 / 2^60 = 2^11
    for rounding in Rounding:
        assert Rescaling(1 << 31, 60, rounding)(np.array([1 << 40])).tolist() == [1 << 11]
