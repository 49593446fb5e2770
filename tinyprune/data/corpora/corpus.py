"""The contents of a corpus, as lists of files: nothing here opens an audio file."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyprune.array_types import BoolArray
from tinyprune.audio.files import list_audio

HELD_OUT = 0.1
ENOUGH_SPEAKERS = 10


@dataclass(frozen=True)
class AudioFile:
    """One file of speech, noise or a room.

    Attributes:
        path: of the file. name: unique within its list. group: speaker of speech, category of
            noise.
    """

    path: Path
    name: str
    group: str


@dataclass(frozen=True)
class Pair:
    """A noisy recording and the clean speech in it.

    Attributes:
        noisy, clean: the files. name: within its list. speaker: of the speech. category: of the
            noise, or "".
        snr_db: as the corpus says it; None where it does not.
    """

    noisy: Path
    clean: Path
    name: str
    speaker: str
    category: str = ""
    snr_db: float | None = None


@dataclass(frozen=True)
class CorpusSplit:
    """One split of a corpus.

    Attributes:
        pairs: of noisy and clean files. unmatched: files of either side without a partner.
        speech, noise, rirs: files that are to be mixed; rirs are room impulse responses. audio: of
            unknown kind.
    """

    pairs: tuple[Pair, ...] = ()
    unmatched: tuple[Path, ...] = ()
    speech: tuple[AudioFile, ...] = ()
    noise: tuple[AudioFile, ...] = ()
    rirs: tuple[AudioFile, ...] = ()
    audio: tuple[AudioFile, ...] = ()


#: "train", "dev", "test", or "all" where a corpus does not say.
CorpusSplits = dict[str, CorpusSplit]


@dataclass(frozen=True)
class Corpus:
    """A corpus at a path.

    Attributes:
        layout: its name, e.g. "VoiceBank+DEMAND". path: of its folder or manifest.
        dataset: the data set that can use it (registry.DATASETS), or "" for audio of unknown kind.
        splits: "train", "dev", "test", as far as they are there.
    """

    layout: str
    path: Path
    dataset: str
    splits: CorpusSplits


def folder_of(path: Path, root: Path) -> str:
    """Return the group of a file in a tree: the folder that holds it, "." at the top."""
    return path.parent.relative_to(root).as_posix()


def files_in(root: Path, group: Callable[[Path, Path], str] = folder_of) -> tuple[AudioFile, ...]:
    """Return all audio files below a folder, named by their paths below it.

    Raises UsageError if there is none.

    Args:
        root: the folder. group: ``(path, root) -> group`` of a file.
    """
    files = []
    for path in list_audio(root):
        files.append(AudioFile(path, path.relative_to(root).as_posix(), group(path, root)))
    return tuple(files)


def cache_key(files: Iterable[Path], *settings: object) -> str:
    """Return a short text that changes with the files, their sizes and times, or a setting."""
    stats = []
    for path in files:
        stat = path.stat()
        stats.append((path.resolve().as_posix(), stat.st_size, stat.st_mtime_ns))
    return hashlib.sha256(repr((stats, settings)).encode()).hexdigest()[:16]


def first_few(things: Sequence[object], limit: int = 3) -> str:
    """Return the first few of a list, and the number of the others: ``a; b; c; and 5 more``."""
    texts = list(map(str, things[:limit]))
    if len(things) > limit:
        texts.append(f"and {len(things) - limit} more")
    return "; ".join(texts)


def hold_out_speakers(groups: list[str], names: list[str], seed: int) -> BoolArray | None:
    """Return truth values (n,) of the files that are kept apart for dev.

    They are a tenth of the speakers, or of the files of a single speaker. Returns None where there
    is only one file, or one speaker of one file: nothing is left to train on.

    Args:
        groups: folder or speaker of each file. names: of the files. seed: which speakers.
    """
    speaker_names = speakers(groups)
    has_speakers = len(set(speaker_names)) > 1
    labels = np.asarray(speaker_names if has_speakers else names)
    distinct = np.unique(labels)
    if len(distinct) < 2:
        return None

    order = np.random.default_rng([seed, 3]).permutation(distinct)
    count = max(1, round(HELD_OUT * len(distinct)))
    return np.isin(labels, order[:count])


def speakers(folders: list[str]) -> list[str]:
    """Return the speaker of each file.

    It is its folder at the highest level that has ten folders or more, else the one it lies in. So
    a speaker whose recordings are sorted further (LibriSpeech: speaker/chapter) stays one speaker.
    """
    deepest = max(folder.count("/") for folder in folders)
    for depth in range(1, 1 + deepest):
        cut = ["/".join(folder.split("/")[:depth]) for folder in folders]
        if len(set(cut)) >= ENOUGH_SPEAKERS:
            return cut
    return folders
