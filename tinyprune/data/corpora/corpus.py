"""The contents of a corpus, as lists of files: nothing here opens an audio file."""

import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyprune.array_types import BoolArray, IntArray
from tinyprune.audio.files import list_audio

log = logging.getLogger(__name__)

HELD_OUT = 0.1
#: Of the time; more is avoided where it can be.
MOST_HELD_OUT = 0.2
WARNED_HELD_OUT = 0.3
ENOUGH_SPEAKERS = 10
_SPEAKER = re.compile(r"reader_\d+|^p\d{3}(?=_)")


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


def files_in_each(
    roots: Sequence[Path], group: Callable[[Path, Path], str] = folder_of
) -> tuple[AudioFile, ...]:
    """Return all audio files below several folders; a file that is reached twice counts once.

    Of several folders the name of each is before the names of its files. Groups are those within a
    folder: who is called alike in two of them is one speaker. Raises UsageError for a folder
    without any.
    """
    if len(roots) == 1:
        return files_in(roots[0], group)
    files: dict[Path, AudioFile] = {}
    for label, root in zip(distinct_names(roots), roots, strict=True):
        for file in files_in(root, group):
            named = replace(file, name=f"{label}/{file.name}")
            files.setdefault(file.path.resolve(), named)
    return tuple(files.values())


def distinct_names(folders: Sequence[Path]) -> list[str]:
    """Return the names of folders, with a number where two have the same."""
    names: list[str] = []
    for number, folder in enumerate(folders, 1):
        name = folder.name
        if name in names:
            name = f"{name}-{number}"
        names.append(name)
    return names


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


def hold_out_speakers(
    kind: str, groups: list[str], names: list[str], lengths: IntArray, seed: int, remedy: str
) -> BoolArray | None:
    """Return truth values (n,) of the files that are kept apart for dev, and log which they are.

    They are a tenth of the speakers, or of the files of a single speaker. Where those would be more
    than a fifth of the time, others are taken, and a warning says so if even they are too much.
    Returns None where there is only one file, or one speaker of one file: nothing is left to train
    on.

    Args:
        kind: of the files, for the line: "speech", "noise" or "pairs".
        groups: folder or speaker of each file. names: of the files. lengths: of the files, (n,), in
            any unit. seed: which speakers. remedy: what the warning advises.
    """
    speaker_names = speakers(groups)
    has_speakers = len(set(speaker_names)) > 1
    labels = np.asarray(speaker_names if has_speakers else names)
    distinct = np.unique(labels)
    if len(distinct) < 2:
        return None

    shares = {}
    for label in distinct:
        shares[str(label)] = float(lengths[labels == label].sum() / lengths.sum())
    order = [str(label) for label in np.random.default_rng([seed, 3]).permutation(distinct)]
    count = max(1, round(HELD_OUT * len(distinct)))
    held_out = order[:count]
    if _share(held_out, shares) > MOST_HELD_OUT:
        held_out = _balanced(order, shares)

    log.log(
        logging.WARNING if _share(held_out, shares) > WARNED_HELD_OUT else logging.INFO,
        _HELD_OUT_LINE,
        len(held_out),
        len(distinct),
        "speakers" if has_speakers else "files",
        kind,
        100 * _share(held_out, shares),
        first_few(sorted(held_out)),
        remedy,
    )
    return np.isin(labels, held_out)


_HELD_OUT_LINE = (
    "held out for dev: %d of %d %s of %s, %.0f %% of the time (%s); to choose others, %s"
)


def _share(held_out: list[str], shares: dict[str, float]) -> float:
    """Return the share of the time that speakers have together."""
    return sum(shares[label] for label in held_out)


def _balanced(order: list[str], shares: dict[str, float]) -> list[str]:
    """Return speakers with about a tenth of the time, in an order; at least the shortest one."""
    chosen: list[str] = []
    for label in order:
        if _share(chosen, shares) >= HELD_OUT:
            break
        if _share([*chosen, label], shares) <= MOST_HELD_OUT:
            chosen.append(label)
    return chosen or [min(order, key=shares.__getitem__)]


def speaker_in(name: str) -> str:
    """Return the speaker that the name of a file says as published corpora do, else "".

    ``reader_01234`` of DNS-Challenge and ``p226`` of VoiceBank.
    """
    match = _SPEAKER.search(name)
    return match[0] if match else ""


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
