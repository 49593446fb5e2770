import numpy as np
import pytest

from tinyprune.data.speech.augmentation import (
    OCTAVES_HZ,
    at_level,
    band_gains,
    band_limited,
    bin_frequencies,
    change_speed,
    clipped,
    colour_db,
    convolve,
    draw_speeds,
    excerpt_length,
    filtered,
    reverberate,
    sum_voices,
    tilt_db,
    without_rumble,
)

RATE = 16_000

RNG = np.random.default_rng(0)


def tone(frequency, samples=RATE):
    return np.sin(2 * np.pi * frequency * np.arange(samples) / RATE).astype(np.float32)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, shape).astype(np.float32)


# --- speed


def test_a_factor_raises_the_pitch():
    """440 Hz, 1.25 times as fast, is 550 Hz."""
    excerpts = np.stack([tone(440, 1250), tone(440, 1250)])
    fast, same = change_speed(excerpts, np.array([1.25, 1.0]), 1000)
    assert fast.shape == (1000,) and fast.dtype == np.float32
    np.testing.assert_allclose(fast[50:-50], tone(550, 1000)[50:-50], atol=0.01)
    np.testing.assert_array_equal(same, excerpts[1, :1000])


def test_slow_speech_needs_fewer_samples():
    """Half as fast: 500 samples become 1000, and what follows them is not heard."""
    first, second = tone(300, 500), tone(7000, 500)
    [slow] = change_speed(np.concatenate([first, second])[None], np.array([0.5]), 1000)
    np.testing.assert_allclose(slow[50:-50], tone(150, 1000)[50:-50], atol=0.02)
    assert excerpt_length(1000, 0.5) == 500


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.0, 1.1, 1.37, 2.0])
def test_every_factor_fills_the_excerpt(factor):
    excerpts = np.ones((1, excerpt_length(1000, factor)), np.float32)
    played = change_speed(excerpts, np.array([factor]), 1000)
    np.testing.assert_allclose(played[0, 20:-20], 1, atol=0.02)
    assert played[0].min() > 0.2  # it rings at the edges, as all that is cut out of something does


def test_too_short_an_excerpt_ends_in_zeros():
    played = change_speed(np.ones((1, 600), np.float32), np.array([2.0]), 1000)
    assert played.shape == (1, 1000)
    assert not played[0, 310:].any()


def test_a_fast_excerpt_has_no_alias():
    """7 kHz, twice as fast, would be 14 kHz: there is no such frequency at 16 kHz, and nothing
    takes its place.
    """
    [played] = change_speed(tone(7000, 2000)[None], np.array([2.0]), 1000)
    assert np.abs(played[50:-50]).max() < 1e-3


@pytest.mark.parametrize("factor", [1.02, 1.2, 1.5])
def test_a_fast_excerpt_keeps_its_highest_frequencies(factor):
    """White noise up to 7.4 kHz is as loud as below 4 kHz."""
    [played] = change_speed(RNG.normal(size=(1, 24_000)).astype("f"), np.array([factor]), 16_000)
    power = np.abs(np.fft.rfft(played)) ** 2  # bins of 1 Hz
    assert abs(10 * np.log10(power[6500:7400].mean() / power[500:4000].mean())) < 1


def test_half_of_the_excerpts_stay_as_recorded():
    """200 draws, half of them 1: 7 is the deviation of their number, and 35 five of it."""
    factors = draw_speeds((0.9, 1.4), 200, np.random.default_rng(0))
    assert abs(np.sum(factors == 1) - 100) < 35
    assert factors.min() > 0.9 and factors.max() < 1.4 and len(set(factors)) > 60


# --- rooms


def room(samples, **taps):
    response = np.zeros(samples, np.float32)
    for place, value in taps.items():
        response[int(place[1:])] = value
    return response


def test_a_room_of_a_direct_path_alone_changes_nothing():
    """Wherever it is in the response, and however loud."""
    speech = noise(3, 4000)
    rirs = np.stack([room(400, t0=1), room(400, t37=0.2), room(400, t399=-3)])
    np.testing.assert_allclose(reverberate(speech, rirs), speech * [[1], [1], [-1]], atol=1e-6)


def test_the_direct_path_keeps_its_place():
    """An echo of half the height 100 samples later, and something quiet before: y(t) = x(t) + x(t -
    100) / 2 + ...
    """
    [speech] = noise(1, 4000)
    wet = convolve(speech[None], room(200, t20=0.1, t50=1, t150=0.5)[None])[0]
    expected = speech.copy()
    expected[100:] += 0.5 * speech[:-100]
    expected[:-30] += 0.1 * speech[30:]
    np.testing.assert_allclose(wet, expected, atol=1e-6)


def test_a_room_keeps_the_level():
    speech, rirs = (
        noise(4, 8000),
        noise(4, 3000, seed=1) * np.exp(-np.arange(3000) / 500).astype(np.float32),
    )
    wet = reverberate(speech, rirs)
    assert wet.dtype == np.float32 and wet.shape == speech.shape
    np.testing.assert_allclose(np.mean(wet**2, axis=1), np.mean(speech**2, axis=1), rtol=1e-4)


def test_silence_in_a_room_is_silence():
    assert not reverberate(np.zeros((1, 1000), np.float32), noise(1, 100)).any()


def test_a_room_may_be_longer_than_the_speech():
    assert reverberate(noise(2, 300), noise(2, 5000)).shape == (2, 300)


def test_convolutions_of_integers_are_exact():
    """Five seconds in a room of a second, all at full scale: the sums reach 2^44, and round to the
    integers.
    """
    rng = np.random.default_rng(0)
    speech, rir = (rng.integers(-32767, 32768, size) for size in (80_000, 16_000))
    rir[0] = 32768
    wet = np.rint(convolve(speech[None].astype(np.float64), rir[None].astype(np.float64)))[0]
    for place in (0, 1, 15_999, 40_000, 79_999):
        taps = rir[: place + 1]
        assert wet[place] == int(taps @ speech[place - len(taps) + 1 : place + 1][::-1])


# --- babble


def test_babble_has_the_level_of_one_voice():
    voices = noise(7, RATE)
    assert np.std(sum_voices(voices)) == pytest.approx(0.1, rel=0.02)
    np.testing.assert_allclose(sum_voices(voices[:1]), voices[0])


# --- bands, microphones, vocal effort


def test_a_telephone_has_no_lows_and_no_highs():
    """300 to 3400 Hz: 1 kHz passes, 100 Hz and 6 kHz do not."""
    signals = np.stack([tone(1000), tone(100), tone(6000)])
    kept, low, high = band_limited(signals, 300, 3400)
    assert np.std(kept) == pytest.approx(np.std(tone(1000)), rel=0.01)
    assert np.std(low[2000:-2000]) < 1e-3 and np.std(high[2000:-2000]) < 1e-3


def test_the_edges_of_a_band_are_half_a_cosine():
    """A sixth of an octave beyond its end, half of the third, the gain is 1/2."""
    places = np.array([3400.0, 3400 * 2 ** (1 / 6), 3400 * 2 ** (1 / 3), 300, 300 * 2 ** (-1 / 6)])
    [gains] = band_gains(places, np.array([300.0]), np.array([3400.0]))
    np.testing.assert_allclose(gains, [1, 0.5, 0, 1, 0.5], atol=1e-9)


def test_the_whole_band_changes_nothing():
    signals = noise(2, 4000)
    np.testing.assert_allclose(band_limited(signals, 0, 8000), signals, atol=1e-6)


def test_rumble_goes_and_the_lowest_voice_stays():
    """At 80 Hz the gain is 1/2; an octave below 1 / (1 + 2^8), an octave above 1 / (1 + 2^-8)."""
    signals = np.stack([tone(80), tone(40), tone(160)])
    made = without_rumble(signals)[:, 4000:-4000]
    ratios = np.std(made, axis=1) / np.std(signals[:, 4000:-4000], axis=1)
    np.testing.assert_allclose(ratios, [1 / 2, 1 / 257, 256 / 257], rtol=0.02)


def test_a_tilt_is_so_many_decibels_per_octave():
    """+3 dB per octave: 2 kHz +3, 500 Hz -3, 8 kHz +9; below 100 Hz it is that of 100 Hz."""
    places = np.array([1000.0, 2000, 500, 8000, 100, 0])
    [gains] = tilt_db(places, np.array([3.0]))
    lowest = 3 * np.log2(0.1)
    np.testing.assert_allclose(gains, [0, 3, -3, 9, lowest, lowest])


def test_the_colour_of_a_microphone_is_linear_between_octaves():
    """+6 dB at 1 kHz alone: half of it half an octave above, nothing at 2 kHz."""
    octaves = np.where(np.array(OCTAVES_HZ) == 1000, 6.0, 0.0)[None]
    places = np.array([1000.0, 1000 * 2**0.5, 2000, 0, 8000])
    [gains] = colour_db(places, octaves)
    np.testing.assert_allclose(gains, [6, 3, 0, 0, 0], atol=1e-9)


def test_a_filter_multiplies_and_delays_nothing():
    signals = np.stack([tone(1000), tone(1000)])
    halves = np.full((2, len(bin_frequencies(RATE))), [[0.5], [1.0]])
    half, same = filtered(signals, halves)
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, signals[0] / 2, atol=1e-6)
    np.testing.assert_allclose(same, signals[1], atol=1e-6)


# --- clipping, level


def test_clipping_cuts_off_so_far_below_the_peak():
    """6.02 dB below a peak of 0.8: nothing is above 0.4."""
    signals = np.array([[0.8, -0.8, 0.3, -0.5], [0.8, -0.8, 0.3, -0.5]], np.float32)
    cut, same = clipped(signals, np.array([20 * np.log10(2), 0.0]))
    np.testing.assert_allclose(cut, [0.4, -0.4, 0.3, -0.4], rtol=1e-6)
    np.testing.assert_array_equal(same, signals[1])


def test_a_level_is_a_root_mean_square():
    loud, silent = at_level(np.stack([tone(440), np.zeros(RATE, np.float32)]), np.array([0.1, 0.1]))
    assert np.sqrt(np.mean(loud**2)) == pytest.approx(0.1, rel=1e-5)
    assert not silent.any()
