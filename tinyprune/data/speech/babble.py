"""Who else speaks in a split: babble."""

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.data.clips import ClipStore
from tinyprune.data.speech import augmentation

FEWEST, MOST = 3, 7
Voices = tuple[tuple[int, int], ...]  # (clip, where it starts)


class Talkers:
    """The speakers of a store; where all clips are of one speaker, each clip counts as one.

    Attributes:
        store: the speech. speaker: the number of the speaker of each clip, shape (n,).
    """

    def __init__(self, store: ClipStore) -> None:
        self.store = store
        names = store.speakers if len(set(store.speakers)) > 1 else store.names
        self.speaker = np.unique(names, return_inverse=True)[1]
        self._clips = np.split(
            np.argsort(self.speaker, kind="stable"), np.cumsum(np.bincount(self.speaker))[:-1]
        )

    def draw(self, clip: int, rng: np.random.Generator) -> Voices:
        """3 to 7 voices beside the speaker of ``clip``: of others, and of as many others as there are.

        Only where nobody else speaks do they speak themselves.
        """
        own, speakers = int(self.speaker[clip]), np.arange(len(self._clips))
        others = np.delete(speakers, own) if len(speakers) > 1 else speakers
        chosen = np.resize(rng.permutation(others), int(rng.integers(FEWEST, MOST + 1)))
        return tuple(self._voice(int(speaker), rng) for speaker in chosen)

    def _voice(self, speaker: int, rng: np.random.Generator) -> tuple[int, int]:
        """One of a speaker's clips, and a place in it."""
        clip = int(self._clips[speaker][rng.integers(len(self._clips[speaker]))])
        return clip, int(rng.integers(self.store.lengths[clip]))


def babble(store: ClipStore, voices: Voices, samples: int) -> Float32Array:
    """These voices at once, (samples,), at equal levels: those of the clips as a whole, not of their excerpts."""
    gains = [1 / max(float(store.rms[clip]), 1e-4) for clip, _ in voices]
    excerpts = [
        store.excerpt(clip, start, samples) * np.float32(gain)
        for (clip, start), gain in zip(voices, gains, strict=True)
    ]
    return augmentation.babble(np.stack(excerpts))
