"""Conditioning of samples, hop by hop."""

import numpy as np
import pytest

from tinyprune.audio.conditioning import Conditioning, ConditioningState, loudest_hop_dbfs
from tinyprune.audio.frontend import FrontEnd

HOP = 256
NOISE = np.random.default_rng(0).normal(size=64 * HOP).astype(np.float32) / 10  # -20 dBFS


def hops(signal):
    return signal.reshape(-1, HOP)


def gains_db(conditioning, signal):
    state = ConditioningState()
    return [20 * np.log10(conditioning.gain(state, hop)) for hop in hops(signal)]


def conditioning(usual_dbfs):
    return Conditioning.of(FrontEnd(usual_dbfs=usual_dbfs))


def test_a_constant_from_the_start_is_never_heard():
    state = ConditioningState()
    out = conditioning(None).without_dc(state, np.full(HOP, 0.1, np.float32))
    assert np.abs(out).max() < 1e-6


def test_a_constant_that_begins_later_dies_away():
    """Of y[n] = x[n] - x[n-1] + a y[n-1], a step of 0.1 leaves 0.1 a^n."""
    state = ConditioningState()
    conditioning(None).without_dc(state, np.zeros(HOP, np.float32))
    step = np.full(4 * HOP, 0.1, np.float32)
    out = np.concatenate([conditioning(None).without_dc(state, hop) for hop in hops(step)])
    pole = 1 - 2 * np.pi * 2 / 16_000
    np.testing.assert_allclose(out, 0.1 * pole ** np.arange(4 * HOP), rtol=1e-4)


def test_speech_passes_the_high_pass():
    tone = np.sin(2 * np.pi * 100 * np.arange(16_384) / 16_000).astype(np.float32)
    state = ConditioningState()
    out = np.concatenate([conditioning(None).without_dc(state, hop) for hop in hops(tone)])
    error = np.sqrt(np.mean((out - tone)[8000:] ** 2) / 0.5)
    assert error == pytest.approx(2 / 100, rel=0.1)  # the phase at f is about corner / f


@pytest.mark.parametrize("level_db", [0, -10])
def test_features_of_known_levels_are_left_alone(level_db):
    gains = gains_db(conditioning(-32.0), NOISE * np.float32(10 ** (level_db / 20)))
    assert np.abs(gains).max() == 0


@pytest.mark.parametrize("level_db", [-30, -45])
def test_features_of_quiet_recordings_are_those_of_the_usual_level(level_db):
    """-20 dBFS and ``level_db`` lie that much below -32 dBFS."""
    gains = gains_db(conditioning(-32.0), NOISE * np.float32(10 ** (level_db / 20)))
    assert gains[-1] == pytest.approx(-32 - (-20 + level_db), abs=1)


def test_a_pause_does_not_blow_features_up_at_once():
    """The followed power falls by e in 5 s: in the 0.5 s of 32 hops by 0.1 nepers, 0.4 dB."""
    quiet = np.concatenate([NOISE[: 32 * HOP], np.zeros(32 * HOP, np.float32)])
    gains = gains_db(conditioning(-19.0), quiet)
    assert gains[-1] - gains[31] == pytest.approx(10 * np.log10(np.e) * 32 * 0.016 / 5, abs=0.05)


def test_silence_is_amplified_by_no_more_than_the_most():
    assert gains_db(conditioning(-20.0), np.zeros(HOP, np.float32)) == pytest.approx([50], abs=1e-4)


def test_a_record_of_before_takes_samples_as_they_are():
    state = ConditioningState()
    hop = NOISE[:HOP] + np.float32(0.5)
    np.testing.assert_array_equal(Conditioning().without_dc(state, hop), hop)
    assert Conditioning().gain(state, hop) == 1


def test_the_loudest_hop_is_the_mean_square_of_one_hop():
    signal = np.zeros((1, 4 * HOP), np.float32)
    signal[0, HOP : 2 * HOP] = 0.1
    assert loudest_hop_dbfs(signal, HOP) == pytest.approx([-20], abs=1e-4)
