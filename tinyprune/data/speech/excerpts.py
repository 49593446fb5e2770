"""Random excerpts of clips to train on, and how they are varied."""

from collections import deque
from typing import Protocol

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.data.speech import augmentation
from tinyprune.data.speech.babble import SpeakerPool, mix_voices
from tinyprune.data.speech.mixing import SILENCE_RMS, Mixing, SpeechAndNoise
from tinyprune.data.speech.responses import impulse_responses

IN_ROOMS = 0.5  # of the speech, where there are impulse responses


class Source(Protocol):
    """Clips or pairs that excerpts are drawn from; see :class:`tinyprune.data.clips.ClipStore`."""

    @property
    def lengths(self) -> np.ndarray:
        """Samples of each, shape (n,)."""

    @property
    def rms(self) -> np.ndarray:
        """Level of each, shape (n,)."""

    def __len__(self) -> int: ...

    def excerpt(self, number: int, start: int, samples: int) -> Float32Array:
        """Return samples (..., samples) of one of them."""


class Excerpts:
    """Random excerpts of unit level, drawn without replacement.

    A clip comes as often as its length deserves. The level is that of a clip as a whole, not of its
    excerpt.
    """

    def __init__(self, store: Source, samples: int, rng: np.random.Generator) -> None:
        self.store = store
        self.samples = samples
        self.rng = rng
        excerpts_per_clip = np.maximum(1, np.round(store.lengths / samples)).astype(int)
        self.chances = np.repeat(np.arange(len(store)), excerpts_per_clip)
        self.gains = 1 / np.maximum(store.rms, SILENCE_RMS)
        self.queue: deque[int] = deque()

    def draw(self, count: int) -> tuple[list[int], Float32Array]:
        """Draw ``count`` clips: their numbers, and an excerpt of each, (count, ..., samples)."""
        while len(self.queue) < count:
            self.queue.extend(self.rng.permutation(self.chances).tolist())
        clips = [self.queue.popleft() for _ in range(count)]
        return clips, np.stack([self._excerpt(clip) for clip in clips])

    def _excerpt(self, number: int) -> Float32Array:
        length = int(self.store.lengths[number])
        # An excerpt lies within its clip; a clip that is too short is repeated from anywhere.
        starts = length - self.samples + 1
        start = int(self.rng.integers(starts if starts > 1 else length))
        return self.store.excerpt(number, start, self.samples) * np.float32(self.gains[number])


class Variation:
    """Variation of excerpts before they are mixed; without a setting they stay as they are.

    Attributes:
        mixing: speeds and babble. rirs: of the rooms. samples: of an excerpt that is mixed.
        drawn: samples of an excerpt before it is played faster or slower.
    """

    def __init__(
        self, split: SpeechAndNoise, mixing: Mixing, samples: int, rng: np.random.Generator
    ) -> None:
        self.mixing = mixing
        self.rirs = split.rirs
        self.samples = samples
        self.rng = rng
        self.drawn = augmentation.excerpt_length(samples, mixing.speed[1])
        self._speakers = SpeakerPool(split.speech) if mixing.babble else None

    def speech(self, excerpts: Float32Array) -> Float32Array:
        """Return excerpts (batch, samples), half at other speeds, half in rooms."""
        excerpts = self._at_other_speeds(excerpts)
        if self.rirs is None:
            return excerpts

        rows = np.flatnonzero(self.rng.random(len(excerpts)) < IN_ROOMS)
        rooms = self.rng.integers(len(self.rirs), size=len(rows)).tolist()
        if rooms:
            responses = impulse_responses(self.rirs, rooms)
            excerpts[rows] = augmentation.reverberate(excerpts[rows], responses)
        return excerpts

    def noise(self, excerpts: Float32Array, clips: list[int]) -> Float32Array:
        """Return noise (batch, drawn), half at other speeds, some of it replaced by babble.

        Babble is of other speakers than those of the clips of speech, ``clips`` (batch). The result
        is (batch, samples).
        """
        excerpts = self._at_other_speeds(excerpts)
        if self._speakers is None:
            return excerpts

        for row in np.flatnonzero(self.rng.random(len(excerpts)) < self.mixing.babble):
            voices = self._speakers.draw(clips[row], self.rng)
            excerpts[row] = mix_voices(self._speakers.store, voices, self.samples)
        return excerpts

    def _at_other_speeds(self, excerpts: Float32Array) -> Float32Array:
        """Return excerpts (batch, drawn) as (batch, samples), half of them at other speeds."""
        if self.mixing.speed == (1.0, 1.0):
            return excerpts
        factors = augmentation.draw_speeds(self.mixing.speed, len(excerpts), self.rng)
        return augmentation.change_speed(excerpts, factors, self.samples)
