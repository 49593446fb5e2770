import numpy as np

from tinyprune.data.clips import Clip, open_store
from tinyprune.data.speech.babble import SpeakerPool


def noise(samples, seed):
    return np.random.default_rng(seed).uniform(-0.3, 0.3, samples).astype(np.float32)


def test_clips_of_one_speaker_are_each_others_babble(tmp_path):
    store = open_store(tmp_path / "s.pcm", [Clip(str(i), ".", noise(100, i)) for i in range(3)])
    rng = np.random.default_rng(0)
    for _ in range(10):
        assert {voice.clip for voice in SpeakerPool(store).draw(1, rng)} == {0, 2}


def test_chapters_of_one_speaker_are_one_speaker(tmp_path):
    """LibriSpeech: twelve speakers of two chapters."""
    groups = [f"{speaker:02d}/{chapter}" for speaker in range(12) for chapter in range(2)]
    store = open_store(
        tmp_path / "s.pcm", [Clip(group, group, noise(100, i)) for i, group in enumerate(groups)]
    )
    rng = np.random.default_rng(0)
    for _ in range(50):
        heard = [store.speakers[voice.clip] for voice in SpeakerPool(store).draw(7, rng)]
        assert "03" not in heard
        assert len(set(heard)) == len(heard)
