import numpy as np
import pytest

from tinyprune.audio.alignment import alignment

NOISE = np.random.default_rng(0).normal(size=16_000).astype(np.float32)


@pytest.mark.parametrize("lag", [0, 384, -384, 17])
@pytest.mark.parametrize("sign", [1, -1])
def test_lag_and_polarity_are_found_through_noise(lag, sign):
    other = np.random.default_rng(1).normal(size=16_000)
    recording = (sign * np.roll(NOISE, lag) + other).astype(np.float32)  # 0 dB
    found = alignment(NOISE, recording, 8000)
    assert (found.lag, found.is_inverted) == (lag, sign < 0)
    assert found.correlation == pytest.approx(1 / np.sqrt(2), abs=0.05)  # of s and s + n


def test_a_lag_beyond_the_most_is_not_looked_for():
    assert alignment(NOISE, np.roll(NOISE, 400), 300).lag == 0


def test_an_echo_is_no_delay():
    echo = NOISE + 0.9 * np.roll(NOISE, 800)
    assert alignment(NOISE, echo, 8000).lag == 0


def test_what_has_nothing_in_common_has_no_lag():
    other = np.random.default_rng(1).normal(size=16_000).astype(np.float32)
    found = alignment(NOISE, other, 8000)
    assert (found.lag, found.is_inverted) == (0, False)
    assert found.correlation < 0.1


def test_silence_has_no_lag():
    assert alignment(NOISE, np.zeros_like(NOISE), 8000).correlation == 0


def test_lengths_may_differ():
    late = np.concatenate([np.zeros(100, np.float32), NOISE[:9000]])
    assert alignment(NOISE, late, 8000).lag == 100
