"""What a corpus holds, as lists of files: nothing here opens an audio file."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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
class Part:
    """One split of a corpus.

    Attributes:
        pairs: of noisy and clean files. unmatched: files of either side without a partner.
        speech, noise, rirs: what is to be mixed; rirs are room impulse responses. audio: of unknown
            kind.
    """

    pairs: tuple[Pair, ...] = ()
    unmatched: tuple[Path, ...] = ()
    speech: tuple[AudioFile, ...] = ()
    noise: tuple[AudioFile, ...] = ()
    rirs: tuple[AudioFile, ...] = ()
    audio: tuple[AudioFile, ...] = ()


@dataclass(frozen=True)
class Corpus:
    """What was found at a path.

    Attributes:
        layout: its name, e.g. "VoiceBank+DEMAND". path: where it was found.
        dataset: the data set that can use it (registry.DATASETS), or "" for audio of unknown kind.
        splits: "train", "dev", "test", as far as they are there.
    """

    layout: str
    path: Path
    dataset: str
    splits: dict[str, Part]


def folder_of(path: Path, root: Path) -> str:
    """The group of a file in a tree: the folder that holds it, "." at the top."""
    return path.parent.relative_to(root).as_posix()


def files_in(root: Path, group: Callable[[Path, Path], str] = folder_of) -> tuple[AudioFile, ...]:
    """All audio files below a folder, named by their paths below it. Raises UsageError if there is none."""
    return tuple(
        AudioFile(path, path.relative_to(root).as_posix(), group(path, root))
        for path in list_audio(root)
    )


def digest(files: Iterable[Path], *settings: object) -> str:
    """A short text that changes with the list of files, the size or time of any of them, or a setting."""
    stats = [
        (path.resolve().as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in files
    ]
    return hashlib.sha256(repr((stats, settings)).encode()).hexdigest()[:16]


def some(things: Sequence[object], limit: int = 3) -> str:
    """The first few of a list, and how many more there are: ``a; b; c; and 5 more``."""
    more = [f"and {len(things) - limit} more"] if len(things) > limit else []
    return "; ".join([*map(str, things[:limit]), *more])


def held_out(groups: list[str], names: list[str], seed: int) -> np.ndarray | None:
    """Which files (n,) are kept apart for dev: a tenth of the speakers, or of the files of a single speaker.

    Returns None where there is only one file, or one speaker of one file: nothing is left to train
        on.

    Args:
        groups: folder or speaker of each file. names: of the files. seed: which speakers.
    """
    who = speakers(groups)
    labels = np.asarray(who if len(set(who)) > 1 else names)
    known = np.unique(labels)
    if len(known) < 2:
        return None
    held = np.random.default_rng([seed, 3]).permutation(known)[
        : max(1, round(HELD_OUT * len(known)))
    ]
    return np.isin(labels, held)


def speakers(folders: list[str]) -> list[str]:
    """The speaker of each file: its folder at the highest level that has ten folders or more, else the one it lies in.

    So a speaker whose recordings are sorted further (LibriSpeech: speaker/chapter) stays one
    speaker.
    """
    for depth in range(1, 1 + max(folder.count("/") for folder in folders)):
        cut = ["/".join(folder.split("/")[:depth]) for folder in folders]
        if len(set(cut)) >= ENOUGH_SPEAKERS:
            return cut
    return folders
