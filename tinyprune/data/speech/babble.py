"""Babble: other speakers of the same split as noise."""

from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.data.clips import ClipStore
from tinyprune.data.speech import augmentation
from tinyprune.data.speech.mixing import SILENCE_RMS

FEWEST_VOICES = 3
MOST_VOICES = 7


@dataclass(frozen=True)
class Voice:
    """One voice of babble.

    Attributes:
        clip: number of its clip in the store of speech. start: sample of the clip to begin with.
    """

    clip: int
    start: int


class SpeakerPool:
    """The speakers of a store; where all clips are of one speaker, each clip counts as a speaker.

    Attributes:
        store: the speech. speaker: the number of the speaker of each clip, shape (n,).
    """

    def __init__(self, store: ClipStore) -> None:
        self.store = store
        has_speakers = len(set(store.speakers)) > 1
        names = store.speakers if has_speakers else store.names
        self.speaker = np.unique(names, return_inverse=True)[1]

        clips_by_speaker = np.argsort(self.speaker, kind="stable")
        ends = np.cumsum(np.bincount(self.speaker))
        self._clips = np.split(clips_by_speaker, ends[:-1])

    def draw(self, clip: int, rng: np.random.Generator) -> tuple[Voice, ...]:
        """Draw 3 to 7 voices of other speakers than that of ``clip``.

        They are of as many speakers as there are. Where nobody else speaks, the speaker of ``clip``
        is heard again.
        """
        order = rng.permutation(self._others(clip))
        count = int(rng.integers(FEWEST_VOICES, MOST_VOICES + 1))
        drawn = np.resize(order, count)
        return tuple(self._draw_voice(int(speaker), rng) for speaker in drawn)

    def draw_one(self, clip: int, rng: np.random.Generator) -> tuple[Voice, ...]:
        """Draw one voice of another speaker than that of ``clip``, if there is one."""
        return (self._draw_voice(int(rng.choice(self._others(clip))), rng),)

    def _others(self, clip: int) -> np.ndarray:
        """Return the speakers other than that of a clip; where there is no other, that one."""
        speakers = np.arange(len(self._clips))
        if len(speakers) > 1:
            return np.delete(speakers, int(self.speaker[clip]))
        return speakers

    def _draw_voice(self, speaker: int, rng: np.random.Generator) -> Voice:
        """Draw one of a speaker's clips, and a place in it."""
        clips = self._clips[speaker]
        clip = int(clips[rng.integers(len(clips))])
        return Voice(clip, int(rng.integers(self.store.lengths[clip])))


def mix_voices(store: ClipStore, voices: tuple[Voice, ...], samples: int) -> Float32Array:
    """Return voices of a store at once, (samples,), at equal levels.

    The levels are those of the clips as a whole, not of their excerpts.
    """
    excerpts = []
    for voice in voices:
        gain = 1 / max(float(store.rms[voice.clip]), SILENCE_RMS)
        excerpts.append(store.excerpt(voice.clip, voice.start, samples) * np.float32(gain))
    return augmentation.sum_voices(np.stack(excerpts))
