import fast_bss_eval.numpy
import numpy as np
import pytest
import scipy.linalg
import scipy.signal

from tinyprune.metrics.speech import is_defined, sdr_db, seg_snr_db, si_sdr_db

CLEAN = np.tile([1, -1, 1, -1], 400).astype(np.float32)
NOISE = np.tile([1, 1, -1, -1], 400).astype(np.float32)  # orthogonal to it, of the same power
SILENCE = np.zeros(1600, np.float32)


def random(samples, seed):
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


@pytest.mark.parametrize(
    ("amplitude", "expected_db"), [(1, 0), (0.1, 20), (10, -20), (0.5, 10 * np.log10(4))]
)
def test_si_sdr_is_the_ratio_of_powers_of_orthogonal_parts(amplitude, expected_db):
    assert si_sdr_db(CLEAN, CLEAN + amplitude * NOISE) == pytest.approx(expected_db, abs=1e-4)


@pytest.mark.parametrize("metric", [si_sdr_db, sdr_db])
@pytest.mark.parametrize(("clean_gain", "gain"), [(1, 0.01), (1, 7), (100, 1), (1, -3)])
def test_scale_does_not_matter(metric, clean_gain, gain):
    clean, estimate = random(4000, 0), random(4000, 0) + random(4000, 1)
    expected = metric(clean, estimate)
    assert metric(clean_gain * clean, gain * estimate) == pytest.approx(expected, abs=1e-3)


def test_a_perfect_estimate_is_60_db_and_not_more():
    assert si_sdr_db(CLEAN, CLEAN) == 60
    assert si_sdr_db(CLEAN, CLEAN + 1e-5 * NOISE) == 60  # 100 dB
    assert si_sdr_db(CLEAN, NOISE + 1e-5 * CLEAN) == -60


def test_si_sdr_ignores_a_constant():
    assert si_sdr_db(CLEAN + 5, CLEAN + 0.1 * NOISE - 3) == pytest.approx(20, abs=1e-3)


def test_a_part_of_the_noise_that_is_like_the_speech_is_no_noise():
    """e = s + (s + n) / 10 = 1.1 s + 0.1 n: 20 log10(1.1 / 0.1) dB."""
    assert si_sdr_db(CLEAN, CLEAN + 0.1 * (CLEAN + NOISE)) == pytest.approx(
        20 * np.log10(11), abs=1e-3
    )


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


@pytest.mark.parametrize(
    "estimate", [CLEAN, -CLEAN, random(1600, 3)], ids=["perfect", "negative", "unrelated"]
)
def test_extremes_are_finite(estimate):
    assert np.isfinite([si_sdr_db(CLEAN, estimate), sdr_db(CLEAN, estimate)]).all()


def test_a_perfect_estimate_has_the_highest_sdr():
    clean = random(1600, 0)
    assert sdr_db(clean, clean) == pytest.approx(100, abs=1e-3)


@pytest.mark.parametrize(
    "broken",
    [
        SILENCE,
        SILENCE + 0.5,
        np.where(np.arange(1600) == 7, np.nan, CLEAN),
        np.where(CLEAN > 0, np.inf, CLEAN),
    ],
    ids=["silent", "constant", "nan", "inf"],
)
def test_silence_and_what_is_not_finite_have_no_ratio(broken):
    assert not is_defined(broken, CLEAN)
    assert not is_defined(CLEAN, broken)
    assert is_defined(CLEAN, NOISE)


@pytest.mark.parametrize(
    ("clean", "estimate"), [(CLEAN, CLEAN[:-1]), (CLEAN[:0], CLEAN[:0])], ids=["cut", "empty"]
)
def test_other_lengths_and_no_samples_have_no_ratio(clean, estimate):
    assert not is_defined(clean, estimate)


@pytest.mark.parametrize("level", [0.01, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_si_sdr_is_that_of_fast_bss_eval(level, seed):
    clean = random(20_000, seed) + np.float32(0.01)
    estimate = scipy.signal.lfilter([0.7, 0.2], [1], clean) + level * random(20_000, seed + 9)
    signals = (signal[None].astype(np.float64) for signal in (clean, estimate))
    expected = fast_bss_eval.numpy.si_sdr(*signals, zero_mean=True)[
        0
    ]  # without PyTorch the one above it fails
    assert si_sdr_db(clean, estimate.astype(np.float32)) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("samples", "is_there"), [(160, False), (512, False), (513, True)])
def test_what_is_no_longer_than_the_filter_has_no_sdr(samples, is_there):
    assert np.isfinite(sdr_db(random(samples, 0), random(samples, 1))) == is_there


def test_a_tone_has_an_sdr_or_none_but_no_error():
    tone = np.sin(np.arange(4000) * 0.2).astype(np.float32)
    assert not np.isinf(sdr_db(tone, tone + random(4000, 0)))


# --- segmental SNR
# ----------------------------------------------------------------------------------------------------


def loizou_seg_snr_db(clean, estimate, rate=16_000):
    """``comp_snr.m`` of Hu and Loizou, frame by frame: 30 ms under a Hann window, every quarter of it."""
    length = round(30 * rate / 1000)
    skip, eps, start, found = length // 4, np.finfo(float).eps, 0, []
    window = 0.5 * (1 - np.cos(2 * np.pi * np.arange(1, length + 1) / (length + 1)))
    for _ in range(int(len(clean) / skip - length / skip)):
        speech, other = (
            clean[start : start + length] * window,
            estimate[start : start + length] * window,
        )
        ratio = 10 * np.log10(np.sum(speech**2) / (np.sum((speech - other) ** 2) + eps) + eps)
        found.append(min(max(ratio, -10), 35))
        start += skip
    return np.mean(found)


@pytest.mark.parametrize("samples", [600, 601, 720, 16_000, 40_123])
@pytest.mark.parametrize("level", [0.003, 1.0])
def test_segmental_snr_is_loizou_s(samples, level):
    clean = (random(samples, 0) * np.sin(np.arange(samples) / 2000)).astype(np.float32)
    estimate = clean + np.float32(level) * random(samples, 1)
    expected = loizou_seg_snr_db(clean.astype(np.float64), estimate.astype(np.float64))
    assert seg_snr_db(clean, estimate) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("amplitude", "expected_db"), [(0.1, 20), (10, -10), (0.001, 35)])
def test_each_frame_is_limited(amplitude, expected_db):
    """Speech and noise of one power in every frame; -20 and 60 dB are beyond the limits."""
    assert seg_snr_db(CLEAN, CLEAN + np.float32(amplitude) * NOISE) == pytest.approx(
        expected_db, abs=1e-2
    )


def test_segmental_snr_is_the_mean_of_frames_not_the_ratio_of_sums():
    """Half of the frames are perfect, half of 0 dB, but for the few that see both."""
    clean = np.tile(CLEAN, 20)
    estimate = clean + np.concatenate([np.zeros(16_000, np.float32), np.tile(NOISE, 10)])
    assert seg_snr_db(clean, estimate) == pytest.approx((35 + 0) / 2, abs=0.5)


@pytest.mark.parametrize(
    ("samples", "is_there"), [(160, False), (480 + 119, False), (480 + 120, True)]
)
def test_less_than_two_frames_have_no_segmental_snr(samples, is_there):
    assert np.isfinite(seg_snr_db(random(samples, 0), random(samples, 1))) == is_there
