"""Clips of audio, and the store that holds many of them as one file of 16-bit samples.

Decoding and resampling are done once; after that a random excerpt costs one short read, whatever
the format was, and
memory does not grow with the corpus: the file is not mapped, else every page that was ever read
    would count.
"""

import hashlib
import os
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.data.corpora.corpus import speakers
from tinyprune.errors import TinypruneError
from tinyprune.storage.records import read_json, write_json
from tinyprune.storage.writing import writing

FULL_SCALE = 32767.0


@dataclass(frozen=True)
class Clip:
    """One piece of audio.

    Attributes:
        name: unique within its corpus.
        group: the speaker of speech, the category of noise.
        samples: float32, 16 kHz mono, in [-1, 1], shape (n,).
    """

    name: str
    group: str
    samples: Float32Array


@dataclass(frozen=True)
class ClipIndex:
    """Where the clips of a store are.

    Attributes:
        names, groups: of each clip.
        offsets: where each begins, in samples, and where the last one ends, (n + 1).
        rms: root mean square of each; full scale is 1.
        sha256: of all samples.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    offsets: tuple[int, ...]
    rms: tuple[float, ...]
    sha256: str


class ClipStore:
    """Read access to a store, or to some of its clips.

    Attributes:
        path: of the samples. index: names, groups, offsets, levels.
        clips: the numbers of the clips that belong to this view, shape (n,).
    """

    def __init__(self, path: Path, index: ClipIndex, clips: np.ndarray | None = None) -> None:
        self.path, self.index = path, index
        self.clips = np.arange(len(index.names)) if clips is None else clips
        self._offsets = np.asarray(index.offsets)
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)

    def __len__(self) -> int:
        return len(self.clips)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Samples of each clip of this view, shape (n,)."""
        return np.diff(self._offsets)[self.clips]

    @cached_property
    def rms(self) -> np.ndarray:
        """Root mean square of each clip of this view, shape (n,)."""
        return np.asarray(self.index.rms)[self.clips]

    @cached_property
    def groups(self) -> list[str]:
        """Speaker or category of each clip of this view."""
        return [self.index.groups[clip] for clip in self.clips]

    @cached_property
    def speakers(self) -> list[str]:
        """Who speaks in each clip of this view, by the folders of the whole store; "" where there are none."""
        known = speakers(list(self.index.groups))
        return [known[clip].removeprefix(".") for clip in self.clips]

    @cached_property
    def names(self) -> list[str]:
        """Name of each clip of this view."""
        return [self.index.names[clip] for clip in self.clips]

    def excerpt(self, number: int, start: int, samples: int) -> Float32Array:
        """Samples (samples,) of a clip from ``start``; the clip is repeated where it is too short."""
        begin, end = self._offsets[self.clips[number] : self.clips[number] + 2]
        if begin + start + samples <= end:
            piece = self._read(begin + start, samples)
        else:
            piece = np.take(
                self._read(begin, end - begin), np.arange(start, start + samples), mode="wrap"
            )
        return piece.astype(np.float32) / np.float32(FULL_SCALE)

    def _read(self, begin: int, samples: int) -> np.ndarray:
        """Samples of the file; threads may read at once. Raises TinypruneError if the file has been cut."""
        piece = np.frombuffer(os.pread(self._file, 2 * int(samples), 2 * int(begin)), "<i2")
        if len(piece) < samples:
            raise TinypruneError(f"{self.path} ends too early: delete it and run again")
        return piece

    def subset(self, keep: np.ndarray) -> "ClipStore":
        """A view of the clips where ``keep``, shape (n,), is true."""
        return ClipStore(self.path, self.index, self.clips[keep])


def open_store(path: Path, clips: Iterable[Clip]) -> ClipStore:
    """The store at ``path``; if it is not there, whole, it is written from ``clips``, which is not touched otherwise.

    Samples beyond full scale are scaled down to it, clip by clip. Raises TinypruneError when no
    space is left.
    """
    record = path.with_suffix(".json")
    if not (
        record.exists()
        and path.exists()
        and path.stat().st_size == _bytes(read_json(record, ClipIndex))
    ):
        _write(path, clips)
    return ClipStore(path, read_json(record, ClipIndex))


def power(signal: Float32Array) -> float:
    """Mean square of samples (n,), added up one after the other: the order of ``np.sum`` differs between machines."""
    return float(np.cumsum(np.square(signal, dtype=np.float64))[-1] / len(signal))


def _bytes(index: ClipIndex) -> int:
    """Size of a store: two bytes per sample."""
    return 2 * index.offsets[-1]


def _write(path: Path, clips: Iterable[Clip]) -> None:
    names, groups, offsets, rms, digest = [], [], [0], [], hashlib.sha256()
    with writing(path) as part, part.open("wb") as file:
        for clip in clips:
            scaled = clip.samples / max(1.0, float(np.abs(clip.samples).max()))
            samples = np.round(scaled * FULL_SCALE).astype("<i2").tobytes()
            digest.update(samples)
            file.write(samples)
            names.append(clip.name)
            groups.append(clip.group)
            offsets.append(offsets[-1] + len(scaled))
            rms.append(float(np.sqrt(power(scaled))))
    index = ClipIndex(tuple(names), tuple(groups), tuple(offsets), tuple(rms), digest.hexdigest())
    write_json(path.with_suffix(".json"), index)
