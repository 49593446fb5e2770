"""The recordings of keywords, decoded: clips of one second, silence and background noise."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.files import SAMPLE_RATE, list_audio, read_mono
from tinyprune.data import class_folders
from tinyprune.data.class_folders import LabelledFile
from tinyprune.data.clips import Clip, ClipStore, open_store, report_unusable
from tinyprune.data.examples import Examples
from tinyprune.data.keywords.word_files import SILENCE
from tinyprune.errors import TinypruneError

SAMPLES = SAMPLE_RATE  # of a clip: one second
BACKGROUND = "_background_noise_"
#: The part of each background recording that a split takes its noise from, so that none is in two.
NOISE_PARTS = {"train": (0.0, 0.8), "dev": (0.8, 0.9), "test": (0.9, 1.0)}


def open_background(folder: Path, cache: Path) -> ClipStore | None:
    """Return the recordings of noise, decoded into ``cache``; None where there is no folder."""
    for noise in (folder / BACKGROUND, folder / "train" / BACKGROUND):
        if noise.is_dir():
            files = [LabelledFile(path, path.name, BACKGROUND) for path in list_audio(noise)]
            key = class_folders.cache_key(noise, files)
            return open_store(cache / f"{BACKGROUND}-{key}.pcm", _decoded(noise, files))
    return None


@dataclass(frozen=True, eq=False)
class SilenceClips:
    """The clips of a split in which nobody speaks.

    They are seconds of the split's part of the noise, at any level below the recorded one.

    Attributes:
        noise: recordings. split: name. count: of clips. seed: of the draws.
    """

    noise: ClipStore | None
    split: str
    count: int
    seed: int

    @property
    def key(self) -> str:
        """A text that changes with the clips."""
        if self.noise is None or not self.count:
            return ""
        return f"{self.split}:{self.count}:{self.seed}:{self.noise.index.sha256}"

    def clips(self) -> Iterator[Clip]:
        """Yield the clips."""
        if self.noise is None:
            return
        rng = np.random.default_rng([self.seed, 5, list(NOISE_PARTS).index(self.split)])
        for number in range(self.count):
            excerpt = self._draw(self.noise, rng)
            yield Clip(f"{SILENCE}/{number}", SILENCE, excerpt * np.float32(rng.random()))

    def _draw(self, noise: ClipStore, rng: np.random.Generator) -> Float32Array:
        """Draw a second of the split's part of a recording."""
        recording = int(rng.integers(len(noise)))
        low_part, high_part = NOISE_PARTS[self.split]
        low = int(low_part * noise.lengths[recording])
        high = int(high_part * noise.lengths[recording])
        start = int(rng.integers(low, max(low + 1, high - SAMPLES + 1)))
        return noise.excerpt(recording, start, SAMPLES)


def open_examples(
    folder: Path,
    files: list[LabelledFile],
    classes: tuple[str, ...],
    silence: SilenceClips,
    cache: Path,
) -> Examples:
    """Return the clips of a split, memory-mapped, decoded into ``cache``.

    The class of each stands in the store as its group.
    """
    key = class_folders.cache_key(folder, files, silence.key)
    path = cache / f"{folder.name}-{silence.split}-{key}.pcm"
    clips = chain(_decoded(folder, files, one_second), silence.clips())
    index = open_store(path, clips).index
    samples = np.memmap(path, np.int16, "r").reshape(-1, SAMPLES)
    labels = np.array([classes.index(group) for group in index.groups], np.int64)
    return Examples(samples, labels, index.names, index.sha256)


def _decoded(
    folder: Path,
    files: list[LabelledFile],
    cut: Callable[[Float32Array], Float32Array] | None = None,
) -> Iterator[Clip]:
    """Yield every readable file, ``cut`` to a length; one warning counts those that are not."""
    problems: list[str] = []
    for file in files:
        try:
            samples = read_mono(file.path)
        except TinypruneError as error:
            problems.append(str(error))
            continue
        yield Clip(file.name, file.label, cut(samples) if cut else samples)
    report_unusable(problems, len(files), folder)


def one_second(samples: Float32Array) -> Float32Array:
    """Return samples (16000,) of a clip (n,): its loudest second, or zeros on both sides of it."""
    missing = SAMPLES - len(samples)
    if missing >= 0:
        return np.pad(samples, (missing // 2, missing - missing // 2))
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    start = int(np.argmax(energy[SAMPLES:] - energy[:-SAMPLES]))
    return samples[start : start + SAMPLES]
