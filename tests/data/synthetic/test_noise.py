import hashlib
import itertools
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tinyprune.data.synthetic import noise as synthetic_noise
from tinyprune.data.synthetic.noise import CATEGORIES, RECIPES
from tinyprune.errors import UsageError

COUNT = 6 * 16_000


@pytest.fixture(scope="module")
def noise():
    return list(synthetic_noise.clips("train", 4, seed=5))


def digests(split, seed, count):
    clips = itertools.islice(synthetic_noise.clips(split, 100, seed), count)
    return [hashlib.sha256(clip.samples.tobytes()).hexdigest() for clip in clips]


def powers(samples, *edges):
    """Power in the bands between the edges, in Hz."""
    spectrum, hz = np.abs(np.fft.rfft(samples)) ** 2, np.fft.rfftfreq(len(samples), 1 / 16_000)
    return [spectrum[(hz >= low) & (hz < high)].sum() for low, high in itertools.pairwise(edges)]


def loudness(samples):
    """RMS of every 50 ms."""
    return np.sqrt(np.mean(samples[: len(samples) // 800 * 800].reshape(-1, 800) ** 2, axis=1))


def test_more_minutes_begin_with_the_same_clips(noise):
    short = list(synthetic_noise.clips("train", 0.6, seed=5))
    assert 4 <= len(short) < len(noise)
    for one, other in zip(short, noise, strict=False):
        assert (one.name, one.group) == (other.name, other.group)
        np.testing.assert_array_equal(one.samples, other.samples)


@pytest.mark.slow
def test_another_process_gives_the_same_clips():
    code = (
        "import sys; sys.path[:0] = [sys.argv[1]]; import test_noise as t; "
        "print(t.digests('dev', 3, 8))"
    )
    folder = Path(__file__).parent
    run = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    digests("train", 1, 2)
    assert run.stdout.strip() == str(digests("dev", 3, 8))


def test_seed_split_and_index_all_matter():
    all_digests = digests("train", 1, 4) + digests("train", 2, 4) + digests("test", 1, 4)
    assert len(set(all_digests)) == 12


def test_categories_are_balanced(noise):
    counts = Counter(clip.group for clip in noise)
    assert set(counts) == set(CATEGORIES)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_samples_are_sane(noise):
    for clip in noise:
        assert clip.samples.dtype == np.float32
        assert np.isfinite(clip.samples).all()
        assert 5 * 16_000 <= len(clip.samples) <= 12 * 16_000
        assert np.abs(clip.samples).max() < 0.96
        assert -40 < 20 * np.log10(clip.samples.std()) < -17
        assert abs(clip.samples.mean()) < 0.05 * clip.samples.std()
    assert len({clip.name for clip in noise}) == len(noise)


@pytest.mark.parametrize(
    ("name", "db_per_octave"), [("white", 0), ("pink", -3), ("brown", -6), ("blue", 3)]
)
def test_colours_have_their_slope(name, db_per_octave):
    samples = RECIPES["coloured"][name](np.random.default_rng(0), COUNT)
    low, high = powers(samples, 500, 1000, 2000)
    # The upper octave is twice as wide: the same density there is 3 dB more power.
    assert 10 * np.log10(high / low) == pytest.approx(db_per_octave + 3.01, abs=0.3)


@pytest.mark.parametrize("name", ["swelling", "bursts", "knocks", "wind"])
def test_modulated_noise_changes_its_loudness(name):
    steady = loudness(RECIPES["coloured"]["white"](np.random.default_rng(0), COUNT))
    changing = loudness(RECIPES["modulated"][name](np.random.default_rng(0), COUNT))
    assert steady.std() < 0.1 * steady.mean()
    assert changing.std() > 0.25 * changing.mean()


@pytest.mark.parametrize("name", sorted(RECIPES["tonal"]))
def test_tonal_noise_has_lines(name):
    samples = RECIPES["tonal"][name](np.random.default_rng(1), COUNT)
    start = np.argmax(loudness(samples)[:-4]) * 800
    spectrum = np.sort(np.abs(np.fft.rfft(samples[start : start + 2048] * np.hanning(2048))) ** 2)[
        ::-1
    ]
    assert spectrum[:40].sum() > 0.8 * spectrum.sum()  # 40 of 1025 bins


def test_hum_is_at_a_multiple_of_the_mains_frequency():
    samples = RECIPES["tonal"]["hum"](np.random.default_rng(0), 10 * 16_000)
    strongest = np.argmax(np.abs(np.fft.rfft(samples))) / 10
    nearest = min(
        (round(strongest / mains) * mains for mains in (50, 60)), key=lambda hz: abs(hz - strongest)
    )
    assert strongest == pytest.approx(nearest, rel=0.006)


def test_babble_is_speech_of_the_split_that_never_pauses(monkeypatch):
    spoken = []
    say = synthetic_noise.voices.say

    def listen(rng, speaker, split, use):
        spoken.append((speaker.name, split, use))
        return say(rng, speaker, split, use)

    monkeypatch.setattr(synthetic_noise.voices, "say", listen)
    samples = synthetic_noise.babble("dev", np.random.default_rng(0), COUNT)
    assert len(samples) == COUNT
    assert {(split, use) for _, split, use in spoken} == {("dev", "babble")}
    assert 3 <= len({name for name, _, _ in spoken}) <= 7
    assert loudness(samples).min() > 0.02 * loudness(samples).max()
    low, high = powers(samples, 100, 2000, 8000)
    assert low > 2 * high > 0


def test_unknown_split_is_told_at_once():
    with pytest.raises(UsageError, match="unknown split 'valid'"):
        synthetic_noise.clips("valid", 1, 0)
