"""Clips of audio, and the store that holds many of them as one file, mostly of 16-bit samples.

Decoding and resampling are done once; after that a random excerpt costs one short read, whatever
the format was. Memory does not grow with the corpus: the file is not mapped, else every page that
was ever read would count.
"""

import hashlib
import logging
import os
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.data.corpora.corpus import speakers
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.storage.digests import (
    CHANGED,
    read_sealed_as,
    sealed_state,
    sha256,
    write_sealed,
)
from tinyprune.storage.writing import writing

log = logging.getLogger(__name__)
FULL_SCALE = 32767.0
#: How samples are stored: as rounded integers of full scale 32767, or as they are.
ROUNDED = "<i2"
EXACT = "<f4"


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
    """The clips of a store.

    Attributes:
        names, groups: of each clip.
        offsets: beginning of each, in samples, and the end of the last one, (n + 1).
        rms: root mean square of each; full scale is 1.
        sha256: of all samples.
        mtime_ns: time of the file of samples; 0: it was not kept. As long as it is that, the
            samples are taken for those that were written, else their SHA-256 is computed.
        sample_type: ROUNDED or EXACT.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    offsets: tuple[int, ...]
    rms: tuple[float, ...]
    sha256: str
    mtime_ns: int = 0
    sample_type: str = ROUNDED


class ClipStore:
    """Read access to a store, or to some of its clips.

    Attributes:
        path: of the samples. index: names, groups, offsets, levels.
        clips: the numbers of the clips that belong to this view, shape (n,).
    """

    def __init__(self, path: Path, index: ClipIndex, clips: np.ndarray | None = None) -> None:
        self.path = path
        self.index = index
        self.clips = np.arange(len(index.names)) if clips is None else clips
        self._offsets = np.asarray(index.offsets)
        self._type = np.dtype(index.sample_type)
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
        """Speaker of each clip of this view, by the folders of the store; "" without folders."""
        all_speakers = speakers(list(self.index.groups))
        return [all_speakers[clip].removeprefix(".") for clip in self.clips]

    @cached_property
    def names(self) -> list[str]:
        """Name of each clip of this view."""
        return [self.index.names[clip] for clip in self.clips]

    def excerpt(self, number: int, start: int, samples: int) -> Float32Array:
        """Return samples (samples,) of a clip from ``start``; a short clip is repeated."""
        clip = self.clips[number]
        begin, end = self._offsets[clip : clip + 2]
        if begin + start + samples <= end:
            piece = self._read(begin + start, samples)
        else:
            repeated = np.arange(start, start + samples)
            piece = np.take(self._read(begin, end - begin), repeated, mode="wrap")
        samples_of_clip = piece.astype(np.float32)
        if self.index.sample_type == ROUNDED:
            samples_of_clip /= np.float32(FULL_SCALE)
        return samples_of_clip

    def _read(self, begin: int, samples: int) -> np.ndarray:
        """Return samples of the file; threads may read at once.

        Raises TinypruneError if the file has been cut.
        """
        size = self._type.itemsize
        content = os.pread(self._file, size * int(samples), size * int(begin))
        piece = np.frombuffer(content, self._type)
        if len(piece) < samples:
            raise TinypruneError(f"{self.path} ends too early: delete it and run again")
        return piece

    def subset(self, keep: np.ndarray) -> "ClipStore":
        """Return a view of the clips where ``keep``, shape (n,), is true."""
        return ClipStore(self.path, self.index, self.clips[keep])


def open_store(path: Path, clips: Iterable[Clip], sample_type: str = ROUNDED) -> ClipStore:
    """Return the store at ``path``; it is written from ``clips`` unless it is there as it was made.

    Nothing is taken from ``clips`` otherwise. Samples beyond full scale are scaled down to it, clip
    by clip. ``sample_type``: ROUNDED or EXACT. Raises TinypruneError when no space is left.
    """
    record = path.with_suffix(".json")
    if not _is_complete(path, record):
        _write(path, clips, sample_type)
    return ClipStore(path, read_index(record))


def read_index(record: Path) -> ClipIndex:
    """Return the index of a store. Raises TinypruneError for one that cannot be believed."""
    return read_sealed_as(record, ClipIndex, "delete it and run again")


def report_unusable(problems: Sequence[str], count: int, folder: object) -> None:
    """Warn of audio files that were left out; raise UsageError if all ``count`` were."""
    if not problems:
        return
    if len(problems) == count:
        raise UsageError(
            f"none of the {count} audio files in {folder} can be used, e.g. {problems[0]}"
        )
    log.warning(
        "%d of %d files in %s were left out, e.g. %s", len(problems), count, folder, problems[0]
    )


def power(signal: Float32Array) -> float:
    """Return the mean square of samples (n,), added up one after the other.

    The order in which ``np.sum`` adds differs between machines.
    """
    return float(np.cumsum(np.square(signal, dtype=np.float64))[-1] / len(signal))


def _is_complete(path: Path, record: Path) -> bool:
    """Return whether a store has its index and its samples, both as they were written."""
    if not (record.exists() and path.exists()):
        return False
    if sealed_state(record) == CHANGED:
        return _made_again(record)
    index = read_index(record)
    if path.stat().st_mtime_ns == index.mtime_ns:
        return path.stat().st_size == np.dtype(index.sample_type).itemsize * index.offsets[-1]
    return sha256(path) == index.sha256 or _made_again(path)


def _made_again(path: Path) -> bool:
    """Say that a file is not believed. Returns False: it does not count."""
    log.warning("%s has changed since it was made: the audio is decoded again", path)
    return False


def _write(path: Path, clips: Iterable[Clip], sample_type: str) -> None:
    """Write the samples of clips one after the other, then the index."""
    names = []
    groups = []
    offsets = [0]
    rms = []
    digest = hashlib.sha256()
    with writing(path) as part, part.open("wb") as file:
        for clip in clips:
            scaled = clip.samples / max(1.0, float(np.abs(clip.samples).max()))
            stored = np.round(scaled * FULL_SCALE) if sample_type == ROUNDED else scaled
            samples = stored.astype(sample_type).tobytes()
            digest.update(samples)
            file.write(samples)
            names.append(clip.name)
            groups.append(clip.group)
            offsets.append(offsets[-1] + len(scaled))
            rms.append(float(np.sqrt(power(scaled))))
    index = ClipIndex(
        tuple(names),
        tuple(groups),
        tuple(offsets),
        tuple(rms),
        digest.hexdigest(),
        path.stat().st_mtime_ns,
        sample_type,
    )
    write_sealed(path.with_suffix(".json"), index)
