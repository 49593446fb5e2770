import warnings

import numpy as np
import pystoi
import pytest
import scipy.signal

from tinyprune.metrics.intelligibility import SHORTEST_SECONDS, estoi, stoi

RATE = 16_000


def speech(seconds=2.0, seed=0):
    """Coloured noise that comes and goes four times a second."""
    time = np.arange(int(seconds * RATE)) / RATE
    noise = scipy.signal.lfilter(
        [1], [1, -0.9], np.random.default_rng(seed).normal(0, 0.05, len(time))
    )
    return (noise * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time))).astype(np.float32)


def noise(seconds=2.0, seed=1):
    return np.random.default_rng(seed).normal(0, 0.05, int(seconds * RATE)).astype(np.float32)


@pytest.mark.parametrize(("metric", "extended"), [(stoi, False), (estoi, True)])
@pytest.mark.parametrize("level", [0.1, 1.0, 5.0])
def test_it_is_what_pystoi_says_of_signals_at_its_own_rate(metric, extended, level):
    """Resampled to 10 kHz by somebody else."""
    clean, estimate = speech(), speech() + np.float32(level) * noise()
    at_10_khz = [
        scipy.signal.resample_poly(signal.astype(float), 5, 8) for signal in (clean, estimate)
    ]
    expected = pystoi.stoi(*at_10_khz, 10_000, extended=extended)
    assert metric(clean, estimate) == pytest.approx(expected, abs=2e-3)  # the two resamplers differ
    assert metric(clean, estimate) == pytest.approx(
        pystoi.stoi(clean, estimate, RATE, extended=extended), abs=1e-3
    )


@pytest.mark.parametrize("metric", [stoi, estoi])
def test_more_noise_is_less_intelligible(metric):
    found = [metric(speech(), speech() + np.float32(level) * noise()) for level in (0, 0.3, 1, 3)]
    assert found[0] == pytest.approx(1, abs=1e-6)
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("metric", [stoi, estoi])
@pytest.mark.parametrize("seconds", [0.01, 0.2, SHORTEST_SECONDS])
def test_what_is_too_short_has_none(metric, seconds):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(metric(speech(seconds), noise(seconds)))


def test_what_is_just_long_enough_has_one():
    assert 0 < stoi(speech(0.45), speech(0.45) + noise(0.45)) < 1


@pytest.mark.parametrize("metric", [stoi, estoi])
def test_pauses_do_not_count(metric):
    """0.3 s of speech in 2 s: pystoi warns and says 1e-5."""
    clean = np.concatenate([speech(0.3), np.zeros(int(1.7 * RATE), np.float32)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(metric(clean, clean + noise(2.0)))


def test_digital_silence_in_an_estimate_gives_the_same_each_time_and_leaves_others_random_numbers_alone():
    estimate = speech()
    estimate[RATE:] = 0
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.standard_normal(2)  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    assert estoi(speech(), estimate) == estoi(speech(), estimate)
    assert np.array_equal(np.random.standard_normal(2), expected)  # noqa: NPY002
