"""What is in a corpus: hours, speakers, formats, levels, and what is wrong with it. Every file is read once, whole."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from tinyprune.array_types import Float64Array
from tinyprune.audio.files import Header, read_blocks
from tinyprune.data.corpora.corpus import AudioFile, Corpus, CorpusSplit, Pair
from tinyprune.data.speech.mixing import SILENCE_RMS
from tinyprune.data.speech.pair_store import measured_snr_db, read_pair
from tinyprune.errors import TinypruneError
from tinyprune.progress import track

CLIPPED_RUN = 3  # samples at full scale one after the other
KINDS = ("speech", "noise", "rirs", "audio")
Item = TypeVar("Item")
Found = TypeVar("Found")


@dataclass(frozen=True)
class Facts:
    """What was measured of one file.

    Attributes:
        header: as in audio/files.py; None if the file cannot be read, for the reason that
            ``problem`` says.
        seconds: its length. rms, peak: of all channels; full scale is 1.
        clipped: whether three samples of a channel in a row are at full scale.
    """

    header: Header | None = None
    seconds: float = 0.0
    rms: float = 0.0
    peak: float = 0.0
    clipped: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Summary:
    """The files of one kind in one split; lists name all that have a problem.

    Attributes:
        split: "train", "dev", "test", or "all". kind: "speech", "noise", "rirs", "noisy", "clean",
            or "audio".
        files: number of them. hours: of those that can be read. groups: number of speakers,
            categories, or folders.
        shortest_seconds, longest_seconds: of a file.
        sample_rates, channels, bits: value -> number of files; bits of formats without them are
            "-".
        level_dbfs: root mean square of a file in dB relative to full scale, of files with sound in
            them: the percentiles "5", "50" and "95". peak_dbfs: of the loudest sample of all.
        clipped, silent: files. unreadable: what is wrong, a line each.
    """

    split: str
    kind: str
    files: int
    hours: float
    groups: int
    shortest_seconds: float | None
    longest_seconds: float | None
    sample_rates: dict[str, int]
    channels: dict[str, int]
    bits: dict[str, int]
    level_dbfs: dict[str, float]
    peak_dbfs: float | None
    clipped: tuple[str, ...]
    silent: tuple[str, ...]
    unreadable: tuple[str, ...]


@dataclass(frozen=True)
class Pairs:
    """The pairs of one split.

    Attributes:
        split: its name. pairs: with two readable files. snr_db: SNR -> number of pairs, as the
            corpus says it, else measured and rounded to 5 dB.
        unusable: why pairs cannot be used, a line each: they differ in length, rate or channels, or
            are silent.
        unmatched: files without a partner.
    """

    split: str
    pairs: int
    snr_db: dict[str, int]
    unusable: tuple[str, ...]
    unmatched: tuple[str, ...]


@dataclass(frozen=True)
class Description:
    """A corpus. Attributes: path; layout (data/corpora/layouts.py); summaries, one per split and kind; pairs, one per split."""

    path: Path
    layout: str
    summaries: tuple[Summary, ...]
    pairs: tuple[Pairs, ...]


def describe(corpus: Corpus) -> Description:
    """Read every file of a corpus, on all cores."""
    files = [
        (split, kind, found)
        for split, part in corpus.splits.items()
        for kind, found in _kinds(part).items()
        if found
    ]
    paths = sorted({file.path for _, _, found in files for file in found})
    facts = dict(zip(paths, _on_all_cores(measure, paths, "reading files"), strict=True))
    summaries = tuple(_summary(split, kind, found, facts) for split, kind, found in files)
    pairs = tuple(
        _pairs(split, part, corpus.path) for split, part in corpus.splits.items() if part.pairs
    )
    return Description(corpus.path, corpus.layout, summaries, pairs)


def _kinds(part: CorpusSplit) -> dict[str, Sequence[AudioFile]]:
    """The files of a split by kind; a pair is a noisy and a clean file, and the clean one may be that of others too."""
    clean = {
        pair.clean: AudioFile(pair.clean, pair.clean.name, pair.speaker) for pair in part.pairs
    }
    noisy = [AudioFile(pair.noisy, pair.name, pair.speaker) for pair in part.pairs]
    return {
        "noisy": noisy,
        "clean": [*clean.values()],
        **{kind: getattr(part, kind) for kind in KINDS},
    }


def _on_all_cores(
    function: Callable[[Item], Found], items: Sequence[Item], title: str
) -> list[Found]:
    """The results in order. Threads are enough: decoding and arithmetic release Python's lock."""
    with ThreadPoolExecutor() as pool:
        return [*track(pool.map(function, items), title, len(items))]


def measure(path: Path) -> Facts:
    """Format, length and levels of a file, block by block."""
    header, frames, squares, peak, clipped = None, 0, 0.0, 0.0, False
    tail: Float64Array = np.zeros((0, 1))
    try:
        for header, block in read_blocks(path):
            frames += len(block)
            squares += float(np.square(block).sum())
            peak = max(peak, float(np.abs(block).max()))
            tail = np.concatenate([tail, block]) if len(tail) else block
            clipped = clipped or _is_clipped(tail, header)
            tail = tail[1 - CLIPPED_RUN :]
    except TinypruneError as error:
        return Facts(problem=str(error))
    assert header is not None, "a file without samples is an error"
    rms = np.sqrt(squares / (frames * header.channels))
    return Facts(header, frames / header.sample_rate, float(rms), peak, clipped)


def _is_clipped(block: Float64Array, header: Header) -> bool:
    """Whether samples (frames, channels) have a run at full scale; integers end a step below 1."""
    limit = 1 - 2.0 ** (1 - header.bits) if header.integer and header.bits else 1.0
    full = np.abs(block) >= limit
    run = full[CLIPPED_RUN - 1 :]
    for back in range(1, CLIPPED_RUN):
        run = run & full[CLIPPED_RUN - 1 - back : len(full) - back]
    return bool(run.any())


def _summary(
    split: str, kind: str, files: Sequence[AudioFile], facts: dict[Path, Facts]
) -> Summary:
    known = [(file, facts[file.path]) for file in files]
    read = [(file.path, fact, fact.header) for file, fact in known if fact.header]
    seconds = [fact.seconds for _, fact, _ in read]
    levels = [_db(fact.rms) for _, fact, _ in read if fact.rms >= SILENCE_RMS]
    return Summary(
        split=split,
        kind=kind,
        files=len(files),
        hours=sum(seconds) / 3600,
        groups=len({file.group for file in files}),
        shortest_seconds=min(seconds, default=None),
        longest_seconds=max(seconds, default=None),
        sample_rates=_counts(header.sample_rate for _, _, header in read),
        channels=_counts(header.channels for _, _, header in read),
        bits=_counts(header.bits or "-" for _, _, header in read),
        level_dbfs={str(p): float(np.percentile(levels, p)) for p in (5, 50, 95)} if levels else {},
        peak_dbfs=_db(max(fact.peak for _, fact, _ in read)) if levels else None,
        clipped=tuple(str(path) for path, fact, _ in read if fact.clipped),
        silent=tuple(str(path) for path, fact, _ in read if fact.rms < SILENCE_RMS),
        unreadable=tuple(fact.problem for _, fact in known if not fact.header),
    )


def _counts(values: Iterable[object]) -> dict[str, int]:
    """How often each value is there, the most frequent first."""
    return {str(value): count for value, count in Counter(values).most_common()}


def _db(amplitude: float) -> float:
    return float(20 * np.log10(amplitude))


def _pairs(split: str, part: CorpusSplit, root: Path) -> Pairs:
    """What the pairs of a split are good for."""
    found = _on_all_cores(_snr_or_problem, part.pairs, f"comparing pairs of {split}")
    snrs = sorted(snr for snr in found if isinstance(snr, float))
    return Pairs(
        split=split,
        pairs=len(snrs),
        snr_db={f"{snr:g}": count for snr, count in Counter(snrs).items()},
        unusable=tuple(problem for problem in found if isinstance(problem, str)),
        unmatched=tuple(map(str, part.unmatched)),
    )


def _snr_or_problem(pair: Pair) -> float | str:
    """The SNR of a pair in dB, or why it cannot be used."""
    try:
        noisy, clean = read_pair(pair)
    except TinypruneError as error:
        return str(error)
    return measured_snr_db(noisy, clean) if pair.snr_db is None else pair.snr_db
