"""Conditions of sweeps: each changes recordings in one way, by what it says."""

from dataclasses import replace

import numpy as np
import pytest

from tinyprune import extras
from tinyprune.data.speech import augmentation, rooms, sweeps
from tinyprune.data.speech.mixing import NoisyUtterance
from tinyprune.errors import UsageError

RATE = 16_000


def utterance(noise=0.05, number=0):
    rng = np.random.default_rng(number)
    clean = rng.normal(0, 0.1, RATE).astype(np.float32)
    added = rng.normal(0, 1, RATE).astype(np.float32) * np.float32(noise)
    return NoisyUtterance("a.wav+b.wav", 0.0, "dog", clean + added, clean)


def conditions(name):
    return {condition.label: condition for condition in sweeps.conditions([name])}


def one(condition, recorded=None):
    [changed] = condition.utterances([recorded or utterance()])
    return changed


def db(signal):
    return 10 * np.log10(np.mean(np.square(signal, dtype=np.float64)))


def share_above(signal, hertz):
    power = np.abs(np.fft.rfft(signal)) ** 2
    return power[np.fft.rfftfreq(len(signal), 1 / RATE) > hertz].sum() / power.sum()


@pytest.mark.parametrize("level", sweeps.LEVELS_DBFS)
def test_levels_are_those_of_the_speech_and_the_snr_stays(level):
    changed = one(conditions("level")[f"{level:g} dBFS"])
    assert db(changed.clean) == pytest.approx(level, abs=0.01)
    snr = db(changed.clean) - db(changed.noisy - changed.clean)
    assert snr == pytest.approx(20 * np.log10(0.1 / 0.05), abs=0.2)  # 6 dB


@pytest.mark.parametrize("snr", sweeps.SNRS_DB)
def test_snrs_are_what_they_say_and_the_speech_stays(snr):
    changed = one(conditions("snr")[f"{snr:g} dB"])
    np.testing.assert_allclose(
        changed.clean, augmentation.without_rumble(utterance().clean[None])[0]
    )
    assert db(changed.clean) - db(changed.noisy - changed.clean) == pytest.approx(snr, abs=0.01)
    assert changed.snr_db == snr


def test_recordings_without_noise_have_no_snr():
    quiet = utterance(noise=0)
    for condition in sweeps.conditions(["snr"]):
        assert len(condition.utterances([quiet, utterance()])) == 1
        assert not condition.changes(quiet)


def test_clean_speech_goes_in_and_should_come_out():
    for condition in sweeps.conditions(["clean"]):
        changed = one(condition)
        assert not condition.has_noise
        np.testing.assert_array_equal(changed.noisy, changed.clean)


def test_hum_is_no_speech_that_a_denoiser_could_harm():
    hum = np.sin(2 * np.pi * 40 * np.arange(RATE) / RATE).astype(np.float32)
    recorded = utterance()
    recorded = replace(recorded, clean=recorded.clean + hum, noisy=recorded.noisy + hum)
    heard = one(conditions("clean")["as it is"], recorded)
    np.testing.assert_array_equal(heard.noisy, heard.clean)
    assert share_above(heard.clean, 80) > 0.99
    assert share_above(recorded.clean, 80) < 0.03  # 0.01 of speech beside 0.5 of hum


def test_speech_alone_varies_in_pitch_and_effort():
    """Played 1.26 times as fast it is as much shorter; +3 dB per octave makes it brighter."""
    found = conditions("clean")
    as_it_is = one(found["as it is"]).clean
    np.testing.assert_allclose(as_it_is, augmentation.without_rumble(utterance().clean[None])[0])
    assert len(one(found["high and fast, x 1.26"]).clean) == int(RATE / 1.26)
    assert len(one(found["low and slow, x 0.79"]).clean) == int(RATE / 0.79)
    loud = one(found["loud, +3 dB/octave"]).clean
    soft = one(found["soft, -3 dB/octave"]).clean
    assert db(loud) == pytest.approx(-10, abs=0.01)
    assert db(soft) == pytest.approx(-50, abs=0.01)
    assert share_above(loud, 2000) > share_above(as_it_is, 2000) > share_above(soft, 2000)


def test_bands_limit_speech_and_noise_and_clipping_the_recording():
    found = conditions("band")
    telephone = one(found["telephone 0.3-3.4 kHz"])
    for signal in (telephone.noisy, telephone.clean):
        assert share_above(signal, 4500) < 1e-4
    clipped = one(found["clipped by 12 dB"])
    whole = utterance()
    assert np.abs(clipped.noisy).max() == pytest.approx(
        np.abs(whole.noisy).max() * 10 ** (-12 / 20)
    )
    np.testing.assert_array_equal(clipped.clean, whole.clean)


def test_the_room_is_in_the_speech_that_should_come_out(monkeypatch):
    """An echo after 100 samples of half the amplitude."""
    response = np.zeros(200, np.float32)
    response[[0, 100]] = 1, 0.5
    monkeypatch.setattr(rooms, "check_available", lambda: None)
    monkeypatch.setattr(rooms, "response", lambda room: response)
    found = conditions("room")
    noisy, alone = one(found["decay 0.3 s"]), one(found["decay 0.3 s, no noise"])
    dry = utterance()
    echo = dry.clean + 0.5 * np.concatenate([np.zeros(100, np.float32), dry.clean[:-100]])
    expected = echo * np.linalg.norm(dry.clean) / np.linalg.norm(echo)
    np.testing.assert_allclose(noisy.clean, expected, atol=1e-5)
    np.testing.assert_allclose(noisy.noisy - noisy.clean, dry.noisy - dry.clean, atol=1e-6)
    np.testing.assert_array_equal(alone.noisy, alone.clean)


def test_without_the_package_rooms_are_refused_by_name_and_left_out_of_all(monkeypatch, log_lines):
    monkeypatch.setattr(extras, "is_installed", lambda package: False)
    with pytest.raises(UsageError, match="pip install"):
        sweeps.conditions(["room"])
    assert not log_lines
    assert {condition.sweep for condition in sweeps.conditions(["all"])} == {
        "level",
        "snr",
        "clean",
        "band",
    }
    [line] = log_lines
    assert line.startswith("--sweep room is left out: a simulated room needs pyroomacoustics")


def test_names_come_in_lists_and_must_exist():
    assert sweeps.chosen(["level,snr", " snr", "band"]) == ("level", "snr", "band")
    with pytest.raises(UsageError, match="unknown sweep 'levle': did you mean 'level'"):
        sweeps.conditions(["levle"])
