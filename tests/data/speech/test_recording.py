"""How training mixtures are recorded; each variation alone, on a data set of tones."""

import numpy as np
import pytest

from tinyprune.data.clips import Clip, open_store
from tinyprune.data.speech.mixing import Mixing, SpeechAndNoise
from tinyprune.data.speech.mixture_dataset import MixtureDataset
from tinyprune.data.speech.recording import LEAST_TALKER_SNR_DB

RATE = 16_000
SAMPLES = 3200
COUNT = 100


def tone(frequency):
    return (0.3 * np.sin(2 * np.pi * frequency * np.arange(RATE) / RATE)).astype(np.float32)


def white(level=0.1):
    return np.random.default_rng(0).normal(0, level, RATE).astype(np.float32)


@pytest.fixture
def batch(tmp_path):
    """Return the first batch, (noisy, clean), of speakers of tones of 500, 1000 and 2000 Hz."""

    def batch(speech=None, **mixing):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        speech = speech or [tone(500), tone(1000), tone(2000)]
        clips = [Clip(f"s{number}", f"who{number}", x) for number, x in enumerate(speech)]
        split = SpeechAndNoise(
            open_store(folder / "s.pcm", clips),
            open_store(folder / "n.pcm", [Clip("n", "", white())]),
        )
        dataset = MixtureDataset({"train": split}, Mixing(**mixing), 1, 0)
        return next(dataset.batches(0, COUNT, SAMPLES))

    return batch


def rms_db(signals):
    return 10 * np.log10(np.mean(np.square(signals, dtype=np.float64), axis=1))


def test_what_is_off_changes_nothing(batch):
    """Fractions of 0 and ranges of 0 are what there was before."""
    for before, after in zip(batch(), batch(narrow=0.0, tilt_db=(0.0, 0.0)), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    "setting",
    [
        {"talkers": 0.5},
        {"tilt_db": (-3.0, 3.0)},
        {"colour_db": 6.0},
        {"narrow": 0.5},
        {"clipped": 0.5},
        {"clean_share": 0.5},
        {"max_attenuation_db": 15.0},
    ],
    ids=lambda setting: next(iter(setting)),
)
def test_a_variation_is_the_same_again_and_keeps_the_level_of_the_speech(batch, setting):
    """Half of a sum of squares more or less is 3 dB: what is left of noise is 15 dB lower."""
    noisy, clean = batch(**setting)
    again, _ = batch(**setting)
    np.testing.assert_array_equal(noisy, again)
    assert noisy.dtype == clean.dtype == np.float32
    plain_noisy, plain = batch()
    assert np.abs(rms_db(clean) - rms_db(plain)).max() < 3
    assert not np.array_equal(noisy, plain_noisy) or not np.array_equal(clean, plain)


def test_a_fraction_is_without_noise(batch):
    noisy, clean = batch(clean_share=0.25)
    is_clean = (noisy == clean).all(axis=1)
    assert 8 < is_clean.sum() < 42  # 25 of 100, deviation 4


def test_noise_is_left_in_what_is_learned_at_its_limit(batch):
    """Limit 20 dB: a tenth of the noise."""
    noisy, learned = batch(max_attenuation_db=20.0)
    _, clean = batch()
    np.testing.assert_allclose(learned - clean, 0.1 * (noisy - clean), atol=1e-6)


def test_a_tilt_moves_energy_up(batch):
    """Speech of 500 and 4000 Hz at one level, three octaves apart: +3 dB per octave make the upper
    one 9 dB louder than the lower one, in the half that is filtered.
    """
    _, clean = batch(speech=[tone(500) + tone(4000)], tilt_db=(3.0, 3.0))
    spectra = np.abs(np.fft.rfft(clean[:, 800:2400] * np.hanning(1600)))
    ratios_db = 20 * np.log10(spectra[:, 400] / spectra[:, 50])  # bins of 10 Hz
    tilted = ratios_db > 4.5
    np.testing.assert_allclose(ratios_db[tilted], 9, atol=0.5)
    np.testing.assert_allclose(ratios_db[~tilted], 0, atol=0.5)
    assert 30 < tilted.sum() < 70


def test_a_narrow_band_is_the_same_for_speech_and_noise(batch):
    """Nothing of either is left above 7000 Hz and a third of an octave, in half of them."""
    noisy, clean = batch(narrow=0.5)
    above = slice(round(7900 * SAMPLES / RATE), None)
    highs = np.abs(np.fft.rfft((noisy - clean) * np.hanning(SAMPLES)))[:, above].mean(axis=1)
    everything = np.abs(np.fft.rfft((noisy - clean) * np.hanning(SAMPLES))).mean(axis=1)
    narrow = highs < 0.1 * everything
    assert 30 < narrow.sum() < 70


def test_a_clipped_recording_is_flat_at_its_peak(batch):
    noisy, _ = batch(clipped=0.5)
    peaks = np.abs(noisy).max(axis=1, keepdims=True)
    at_the_peak = (np.abs(noisy) == peaks).sum(axis=1)
    assert 30 < (at_the_peak > 2).sum() < 70


def test_a_talker_in_the_background_is_somebody_else_and_not_so_loud(batch):
    """At an SNR of -6 to 9 dB a talker comes at 5 dB at least."""
    noisy, clean = batch(talkers=1.0)
    others = noisy - clean
    assert (rms_db(clean) - rms_db(others)).min() > LEAST_TALKER_SNR_DB - 0.5
    for speech, other in zip(clean, others, strict=True):
        loudest = [np.abs(np.fft.rfft(signal)).argmax() for signal in (speech, other)]
        assert loudest[0] != loudest[1]


def test_silence_stays_finite(batch):
    silence = np.zeros(RATE, np.float32)
    mixing = {"talkers": 0.5, "tilt_db": (-3.0, 3.0), "colour_db": 6.0, "clipped": 1.0}
    for signals in batch(speech=[silence, silence], **mixing):
        assert np.isfinite(signals).all()
