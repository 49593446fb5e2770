"""Random excerpts of clips to train on, and how they are varied."""

from collections import deque
from typing import Protocol

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.data.clips import ClipStore
from tinyprune.data.speech import augmentation
from tinyprune.data.speech.babble import Talkers, babble
from tinyprune.data.speech.mixing import Mixing, Split

IN_ROOMS = 0.5  # of the speech, where there are impulse responses
LONGEST_RIR = 16_000  # samples; what comes later than a second is cut


class Source(Protocol):
    """Clips, or pairs of them, that excerpts are drawn from; see :class:`tinyprune.data.clips.ClipStore`."""

    @property
    def lengths(self) -> np.ndarray:
        """Samples of each, shape (n,)."""

    @property
    def rms(self) -> np.ndarray:
        """Level of each, shape (n,)."""

    def __len__(self) -> int: ...

    def excerpt(self, number: int, start: int, samples: int) -> Float32Array:
        """Samples (..., samples) of one of them."""


class Excerpts:
    """Random excerpts of unit level, every clip as often as its length deserves, drawn without replacement."""

    def __init__(self, store: Source, samples: int, rng: np.random.Generator) -> None:
        self.store, self.samples, self.rng = store, samples, rng
        self.chances = np.repeat(
            np.arange(len(store)), np.maximum(1, np.round(store.lengths / samples)).astype(int)
        )
        self.gains = 1 / np.maximum(store.rms, 1e-4)
        self.queue: deque[int] = deque()

    def draw(self, count: int) -> tuple[list[int], Float32Array]:
        """The numbers of ``count`` clips and an excerpt of each, (count, samples).

        The level of a clip as a whole, not of its excerpt, is 1.
        """
        while len(self.queue) < count:
            self.queue.extend(self.rng.permutation(self.chances).tolist())
        clips = [self.queue.popleft() for _ in range(count)]
        return clips, np.stack([self._excerpt(clip) for clip in clips])

    def _excerpt(self, number: int) -> Float32Array:
        spare = max(1, int(self.store.lengths[number]) - self.samples + 1)
        start = int(self.rng.integers(spare if spare > 1 else self.store.lengths[number]))
        return self.store.excerpt(number, start, self.samples) * np.float32(self.gains[number])


class Variation:
    """What becomes of excerpts of speech and noise before they are mixed; nothing, as long as no setting asks for it.

    Attributes:
        mixing: speeds and babble. rirs: of the rooms. samples: of an excerpt that is mixed.
        drawn: samples of an excerpt before it is played faster or slower.
    """

    def __init__(
        self, split: Split, mixing: Mixing, samples: int, rng: np.random.Generator
    ) -> None:
        self.mixing, self.rirs, self.samples, self.rng = mixing, split.rirs, samples, rng
        self.drawn = augmentation.excerpt_length(samples, mixing.speed[1])
        self._talkers = Talkers(split.speech) if mixing.babble else None

    def speech(self, excerpts: Float32Array) -> Float32Array:
        """Excerpts (batch, drawn) at other speeds, half of them in rooms, (batch, samples)."""
        excerpts = self._at_other_speeds(excerpts)
        if self.rirs is not None:
            chosen = np.flatnonzero(self.rng.random(len(excerpts)) < IN_ROOMS)
            rooms = self.rng.integers(len(self.rirs), size=len(chosen)).tolist()
            if rooms:
                excerpts[chosen] = augmentation.reverberate(
                    excerpts[chosen], impulse_responses(self.rirs, rooms)
                )
        return excerpts

    def noise(self, excerpts: Float32Array, clips: list[int]) -> Float32Array:
        """Noise (batch, drawn) at other speeds, some of it babble of others than those who speak in ``clips`` (batch).

        The result is (batch, samples).
        """
        excerpts = self._at_other_speeds(excerpts)
        if self._talkers is not None:
            for row in np.flatnonzero(self.rng.random(len(excerpts)) < self.mixing.babble):
                voices = self._talkers.draw(clips[row], self.rng)
                excerpts[row] = babble(self._talkers.store, voices, self.samples)
        return excerpts

    def _at_other_speeds(self, excerpts: Float32Array) -> Float32Array:
        """Excerpts (batch, drawn) as (batch, samples), each at a speed of its own."""
        if self.mixing.speed == (1.0, 1.0):
            return excerpts
        factors = self.rng.uniform(*self.mixing.speed, size=len(excerpts))
        return augmentation.change_speed(excerpts, factors, self.samples)


def impulse_responses(store: ClipStore, rooms: list[int]) -> Float32Array:
    """Impulse responses (rooms, m) by their numbers, zeros after the end of a short one; a second at most."""
    lengths = np.minimum(store.lengths[rooms], LONGEST_RIR)
    responses = np.zeros((len(rooms), int(lengths.max())), np.float32)
    for row, room, length in zip(responses, rooms, lengths, strict=True):
        row[:length] = store.excerpt(room, 0, int(length))
    return responses
