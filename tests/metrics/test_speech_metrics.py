import numpy as np
import pytest
import scipy.linalg
import scipy.signal

from tinyprune.metrics.speech import is_defined, quality, sdr_db, si_sdr_db

CLEAN = np.tile([1, -1, 1, -1], 400).astype(np.float32)
NOISE = np.tile([1, 1, -1, -1], 400).astype(np.float32)  # orthogonal to it, of the same power
SILENCE = np.zeros(1600, np.float32)


def random(samples, seed):
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


@pytest.mark.parametrize(("amplitude", "expected_db"), [(1, 0), (0.1, 20), (10, -20), (0.5, 10 * np.log10(4))])
def test_si_sdr_is_the_ratio_of_powers_of_orthogonal_parts(amplitude, expected_db):
    assert si_sdr_db(CLEAN, CLEAN + amplitude * NOISE) == pytest.approx(expected_db, abs=1e-4)


@pytest.mark.parametrize("metric", [si_sdr_db, sdr_db])
@pytest.mark.parametrize(("clean_gain", "gain"), [(1, 0.01), (1, 7), (100, 1), (1, -3)])
def test_scale_does_not_matter(metric, clean_gain, gain):
    clean, estimate = random(4000, 0), random(4000, 0) + random(4000, 1)
    expected = metric(clean, estimate)
    assert metric(clean_gain * clean, gain * estimate) == pytest.approx(expected, abs=1e-3)


def test_si_sdr_ignores_a_constant():
    assert si_sdr_db(CLEAN + 5, CLEAN + 0.1 * NOISE - 3) == pytest.approx(20, abs=1e-3)


def test_a_part_of_the_noise_that_is_like_the_speech_is_no_noise():
    """e = s + (s + n) / 10 = 1.1 s + 0.1 n: 20 log10(1.1 / 0.1) dB."""
    assert si_sdr_db(CLEAN, CLEAN + 0.1 * (CLEAN + NOISE)) == pytest.approx(20 * np.log10(11), abs=1e-3)


def least_squares_sdr_db(clean, estimate, taps=512):
    """The estimate as the speech through the best filter, plus a rest."""
    padded = np.concatenate([clean, np.zeros(taps - 1)])
    delayed = scipy.linalg.toeplitz(padded, np.concatenate([padded[:1], np.zeros(taps - 1)]))
    wanted = np.concatenate([estimate, np.zeros(taps - 1)])
    target = delayed @ np.linalg.solve(delayed.T @ delayed, delayed.T @ wanted)
    return 10 * np.log10(np.sum(target**2) / np.sum((wanted - target) ** 2))


@pytest.mark.parametrize("level", [0.1, 1.0])
def test_sdr_is_that_of_the_best_filter_of_512_taps(level):
    clean = random(3000, 0)
    echo = scipy.signal.lfilter([1, 0, 0, -0.5, 0.25], [1], clean)
    estimate = (echo + level * random(3000, 1)).astype(np.float32)
    expected = least_squares_sdr_db(clean.astype(np.float64), estimate.astype(np.float64))
    assert sdr_db(clean, estimate) == pytest.approx(expected, abs=1e-3)


def test_sdr_forgives_a_delay_that_si_sdr_does_not():
    clean = random(8000, 0)
    delayed = np.concatenate([np.zeros(300, np.float32), clean[:-300]])
    assert sdr_db(clean, delayed) > 10
    assert si_sdr_db(clean, delayed) < -20


@pytest.mark.parametrize("estimate", [CLEAN, -CLEAN, random(1600, 3)], ids=["perfect", "negative", "unrelated"])
def test_extremes_are_finite(estimate):
    assert np.isfinite([si_sdr_db(CLEAN, estimate), sdr_db(CLEAN, estimate)]).all()


def test_a_perfect_estimate_has_the_highest_sdr():
    clean = random(1600, 0)
    assert sdr_db(clean, clean) == pytest.approx(100, abs=1e-3)


@pytest.mark.parametrize(
    "broken",
    [SILENCE, SILENCE + 0.5, np.where(np.arange(1600) == 7, np.nan, CLEAN), np.where(CLEAN > 0, np.inf, CLEAN)],
    ids=["silent", "constant", "nan", "inf"],
)
def test_silence_and_what_is_not_finite_have_no_ratio(broken):
    assert not is_defined(broken, CLEAN)
    assert not is_defined(CLEAN, broken)
    assert is_defined(CLEAN, NOISE)


def test_quality_is_the_mean_over_all_and_per_snr():
    estimates = [CLEAN + amplitude * NOISE for amplitude in (1, 0.1, 0.01)]
    found = quality("float", "dev", ((CLEAN, e) for e in estimates), [-3.0, 6.0, 6.0], ["si_sdr_db"])
    assert (found.form, found.split, found.utterances, found.undefined) == ("float", "dev", 3, 0)
    assert found.metrics["si_sdr_db"] == pytest.approx((0 + 20 + 40) / 3, abs=1e-2)
    assert found.by_snr["-3"]["si_sdr_db"] == pytest.approx(0, abs=1e-2)
    assert found.by_snr["6"]["si_sdr_db"] == pytest.approx((20 + 40) / 2, abs=1e-2)


def test_silence_is_left_out_and_counted():
    pairs = [(CLEAN, CLEAN + NOISE), (SILENCE, NOISE), (CLEAN, SILENCE), (CLEAN, NOISE * np.float32(np.nan))]
    found = quality("float", "dev", pairs, [0.0, 0.0, 3.0, 6.0], ["si_sdr_db"])
    assert (found.utterances, found.undefined) == (1, 3)
    assert found.metrics["si_sdr_db"] == pytest.approx(0, abs=1e-4)
    assert list(found.by_snr) == ["0"]


def test_nothing_but_silence_has_no_metrics():
    found = quality("float", "dev", [(SILENCE, SILENCE)], [0.0])
    assert (found.utterances, found.undefined, found.metrics, found.by_snr) == (0, 1, {}, {})


def test_pairs_and_snrs_must_be_as_many():
    with pytest.raises(ValueError, match="zip"):
        quality("float", "dev", [(CLEAN, NOISE)], [0.0, 1.0], ["si_sdr_db"])
