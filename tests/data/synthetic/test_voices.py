import hashlib
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinyprune.data.synthetic import voices
from tinyprune.data.synthetic.common import SPLITS
from tinyprune.errors import UsageError


@pytest.fixture(scope="module")
def speech():
    return list(voices.clips("train", 3, seed=7))


def digests(split, seed, count):
    clips = itertools.islice(voices.clips(split, 100, seed), count)
    return [hashlib.sha256(clip.samples.tobytes()).hexdigest() for clip in clips]


def test_more_minutes_begin_with_the_same_clips(speech):
    short = list(voices.clips("train", 0.2, seed=7))
    assert 1 < len(short) < len(speech)
    for one, other in zip(short, speech, strict=False):
        assert (one.name, one.group) == (other.name, other.group)
        np.testing.assert_array_equal(one.samples, other.samples)


def test_length_asked_for_is_reached_by_the_last_clip(speech):
    lengths = [len(clip.samples) for clip in speech]
    assert sum(lengths[:-1]) < 3 * 60 * 16_000 <= sum(lengths)


@pytest.mark.slow
def test_another_process_gives_the_same_clips():
    code = (
        "import sys; sys.path[:0] = [sys.argv[1]]; import test_voices as t; "
        "print(t.digests('dev', 3, 4))"
    )
    folder = Path(__file__).parent
    run = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    digests("train", 1, 2)
    assert run.stdout.strip() == str(digests("dev", 3, 4))


def test_seed_split_and_index_all_matter():
    all_digests = digests("train", 1, 3) + digests("train", 2, 3) + digests("test", 1, 3)
    assert len(set(all_digests)) == 9


def test_samples_are_sane(speech):
    for clip in speech:
        assert clip.samples.dtype == np.float32
        assert np.isfinite(clip.samples).all()
        assert 2 * 16_000 <= len(clip.samples) <= 8 * 16_000
        assert np.abs(clip.samples).max() < 0.96
        assert -40 < 20 * np.log10(clip.samples.std()) < -17
        assert abs(clip.samples.mean()) < 0.01 * clip.samples.std()
    assert len({clip.name for clip in speech}) == len(speech)
    assert len({clip.group for clip in speech}) > 0.7 * len(speech)


def test_spectrum_falls_and_is_wide(speech):
    power = sum(
        np.abs(np.fft.rfft(clip.samples[:32_000] / clip.samples.std())) ** 2 for clip in speech
    )
    hz = np.fft.rfftfreq(32_000, 1 / 16_000)
    low, middle, high = (
        power[(hz >= a) & (hz < b)].mean() for a, b in ((100, 1000), (1000, 4000), (4000, 7500))
    )
    assert low > 3 * middle
    assert middle > 3 * high
    assert high > 1e-4 * low


def test_speech_has_the_rhythm_of_syllables(speech):
    total = 0.0
    for clip in speech:
        envelope = np.sqrt(np.mean(clip.samples[:32_000].reshape(200, 160) ** 2, axis=1))
        power = np.abs(np.fft.rfft(envelope - envelope.mean())) ** 2
        total = total + power / power.sum()
    hz = np.fft.rfftfreq(200, 0.01)
    assert total[(hz >= 2) & (hz <= 8)].sum() > 0.5 * total.sum()


def test_speakers_and_timbres_are_in_one_split_only():
    variants = {
        split: {s.variant for group in voices.speakers(split) for s in group} for split in SPLITS
    }
    for one, other in itertools.combinations(SPLITS, 2):
        assert not variants[one] & variants[other]
    heard = {clip.group.split("+")[1] for clip in voices.clips("test", 1, seed=0)}
    assert heard <= variants["test"]


def test_every_voice_and_every_timbre_gives_sound():
    rng = np.random.default_rng(0)
    high, low = voices.speakers("train")
    one_per_voice = {speaker.voice: speaker for speaker in high}
    everyone = [s for split in SPLITS for group in voices.speakers(split) for s in group]
    one_per_timbre = {speaker.variant: speaker for speaker in everyone}
    for speaker in [*one_per_voice.values(), *one_per_timbre.values()]:
        spoken = voices.say(rng, speaker, "train", "speech")
        assert len(spoken) > 22_050, speaker
        assert spoken.std() > 0.01, speaker
        assert np.abs(spoken).max() < 0.999, speaker
    assert len(one_per_voice) >= 15
    assert len(one_per_timbre) >= 40


def test_unknown_split_and_bad_seed_are_told_at_once():
    with pytest.raises(UsageError, match="unknown split 'trian': did you mean 'train'"):
        voices.clips("trian", 1, 0)
    with pytest.raises(UsageError, match="seed -1 is negative"):
        voices.clips("train", 1, -1)
