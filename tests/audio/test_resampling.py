"""The resampler of pipes: what comes out, where in time, how soon, and what is not in it."""

import numpy as np
import pytest

from tinyprune.audio.resampling import REJECTION_DB, LowLatencyResampler

OWN = 16_000
RATES = [8000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000]
BOTH_WAYS = [(rate, OWN) for rate in RATES] + [(OWN, rate) for rate in RATES]
SECONDS = 0.06
MARGIN_SECONDS = 0.02  # longer than the filter: the ends of a tone are not a tone


def resampled(signal, source, target, block=10**6):
    resampler = LowLatencyResampler(source, target, signal.shape[1])
    parts = [resampler(signal[at : at + block]) for at in range(0, len(signal), block)]
    return np.concatenate([*parts, resampler(signal[:0], last=True)])


def tone(frequency_hz, rate, seconds=SECONDS):
    times = np.arange(int(seconds * rate)) / rate
    return np.sin(2 * np.pi * frequency_hz * times)[:, None].astype(np.float32)


def inside(signal, rate):
    margin = int(MARGIN_SECONDS * rate)
    return signal[margin:-margin]


@pytest.mark.parametrize(("source", "target"), [(8000, OWN), (44_100, OWN), (OWN, 48_000)])
@pytest.mark.parametrize("block", [1, 7, 160])
def test_blocks_do_not_matter(source, target, block):
    signal = np.random.default_rng(0).normal(size=(source // 100, 2)).astype(np.float32)
    whole = resampled(signal, source, target)
    np.testing.assert_array_equal(resampled(signal, source, target, block), whole)


@pytest.mark.parametrize(("source", "target"), BOTH_WAYS)
def test_a_full_scale_tone_keeps_its_amplitude_and_its_place(source, target):
    """Of all its difference from the tone at the other rate: 0.001 is 0.009 dB, or 0.06 degrees."""
    lower = min(source, target)
    for frequency_hz in (100.0, 0.2 * lower, LowLatencyResampler(source, target, 1).passband_hz):
        made = resampled(tone(frequency_hz, source), source, target)
        expected = tone(frequency_hz, target, len(made) / target + 1)[: len(made)]
        assert np.abs(inside(made - expected, target)).max() < 1e-3


@pytest.mark.parametrize(("source", "target"), BOTH_WAYS)
def test_a_constant_stays_what_it_is(source, target):
    made = resampled(np.ones((int(SECONDS * source), 1), np.float32), source, target)
    np.testing.assert_array_equal(inside(made, target), 1)


@pytest.mark.parametrize(("source", "target"), [way for way in BOTH_WAYS if way[0] > way[1]])
def test_what_the_lower_rate_cannot_hold_is_not_in_it(source, target):
    """Tones above half of it would come out at other frequencies."""
    for frequency_hz in np.linspace(target / 2, source / 2, 7)[:-1]:
        made = inside(resampled(tone(frequency_hz + 1, source), source, target), target)
        assert 20 * np.log10(np.abs(made).max()) < 1 - REJECTION_DB


@pytest.mark.parametrize(("source", "target"), [(8000, OWN), (OWN, 8000), (OWN, 44_100)])
def test_a_click_comes_out_where_and_when_it_is_said(source, target):
    """A click at 10 ms has its largest sample there, and is out one delay after it went in."""
    at = source // 100
    signal = np.zeros((4 * at, 1), np.float32)
    signal[at] = 1
    resampler = LowLatencyResampler(source, target, 1)
    made = [len(resampler(sample[None])) for sample in signal]
    place = target // 100
    out_after = int(np.argmax(np.cumsum(made) > place)) - at
    assert int(np.argmax(resampled(signal, source, target))) == place
    assert out_after == pytest.approx(resampler.delay_seconds * source, abs=1)
    assert resampler.delay_seconds <= 0.0037


@pytest.mark.parametrize("rate", [1000, 44_101, 767_999])
def test_odd_rates_work(rate):
    """1 kHz has a longer filter, or nothing of it were left; 44,101 Hz has interpolated ones."""
    resampler = LowLatencyResampler(rate, OWN, 1)
    assert resampler.passband_hz > 0.8 * min(rate, OWN) / 2
    made = resampled(tone(100, rate, 0.1), rate, OWN)
    expected = tone(100, OWN, 0.2)[: len(made)]
    assert len(made) == 1600
    assert np.abs(inside(made - expected, OWN)[320:-320]).max() < 1e-3
