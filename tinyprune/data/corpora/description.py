"""The description of a corpus: hours, speakers, formats, levels, and its problems.

Every file is read once, from end to end.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from tinyprune.array_types import Float64Array
from tinyprune.audio.files import Header, read_blocks
from tinyprune.data.corpora.corpus import AudioFile, Corpus, CorpusSplit, Pair
from tinyprune.data.speech.mixing import SILENCE_RMS
from tinyprune.data.speech.pair_store import measured_snr_db, misalignment, read_pair
from tinyprune.errors import TinypruneError
from tinyprune.progress import track

CLIPPED_RUN = 3  # samples at full scale one after the other
KINDS = ("speech", "noise", "rirs", "audio")
PERCENTILES = (5, 50, 95)
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class FileFacts:
    """Measurements of one file that can be read.

    Attributes:
        path, header: as in audio/files.py. seconds: its length.
        rms, peak: of all channels; full scale is 1.
        clipped: True if three samples of a channel in a row are at full scale.
    """

    path: Path
    header: Header
    seconds: float
    rms: float
    peak: float
    clipped: bool

    @property
    def is_silent(self) -> bool:
        """True if there is no sound in the file."""
        return self.rms < SILENCE_RMS


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
        clipped, silent: files. unreadable: the problem of each, a line each.
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
class PairSummary:
    """The pairs of one split.

    Attributes:
        split: its name. pairs: with two readable files. snr_db: SNR -> number of pairs, as the
            corpus says it, else measured and rounded to 5 dB.
        unusable: problems of pairs, a line each: they differ in length, rate or channels, or are
            silent.
        unmatched: files without a partner. misaligned: pairs whose noisy file is delayed or
            inverted, a line each.
    """

    split: str
    pairs: int
    snr_db: dict[str, int]
    unusable: tuple[str, ...]
    unmatched: tuple[str, ...]
    misaligned: tuple[str, ...] = ()


@dataclass(frozen=True)
class Description:
    """The description of a corpus.

    Attributes:
        path: of the corpus. layout: its name (data/corpora/layouts.py).
        summaries: one per split and kind. pairs: one per split that has some.
    """

    path: Path
    layout: str
    summaries: tuple[Summary, ...]
    pairs: tuple[PairSummary, ...]


def describe(corpus: Corpus) -> Description:
    """Read every file of a corpus, on all cores."""
    files_by_kind = {}
    paths: set[Path] = set()
    for split_name, split in corpus.splits.items():
        for kind, files in _kinds(split).items():
            if files:
                files_by_kind[split_name, kind] = files
                paths.update(file.path for file in files)

    ordered = sorted(paths)
    results = _on_all_cores(measure, ordered, "reading files")
    facts = dict(zip(ordered, results, strict=True))

    summaries = []
    for (split_name, kind), files in files_by_kind.items():
        summaries.append(_summary(split_name, kind, files, facts))
    pairs = []
    for split_name, split in corpus.splits.items():
        if split.pairs:
            pairs.append(_pair_summary(split_name, split))
    return Description(corpus.path, corpus.layout, tuple(summaries), tuple(pairs))


def _kinds(split: CorpusSplit) -> dict[str, Sequence[AudioFile]]:
    """Return the files of a split by kind.

    A pair is a noisy and a clean file; a clean file may be that of several pairs, and counts once.
    """
    noisy = []
    clean = {}
    for pair in split.pairs:
        noisy.append(AudioFile(pair.noisy, pair.name, pair.speaker))
        clean[pair.clean] = AudioFile(pair.clean, pair.clean.name, pair.speaker)

    kinds: dict[str, Sequence[AudioFile]] = {"noisy": noisy, "clean": list(clean.values())}
    for kind in KINDS:
        kinds[kind] = getattr(split, kind)
    return kinds


def _on_all_cores(
    function: Callable[[Item], Result], items: Sequence[Item], title: str
) -> list[Result]:
    """Return the results in order. Decoding and arithmetic release Python's lock: threads do."""
    with ThreadPoolExecutor() as pool:
        return list(track(pool.map(function, items), title, len(items)))


def measure(path: Path) -> FileFacts | str:
    """Measure format, length and levels of a file; the reason, if it cannot be read."""
    try:
        return _measured(path)
    except TinypruneError as error:
        return str(error)


def _measured(path: Path) -> FileFacts:
    """Return the measurements of a file, made block by block."""
    header = None
    frames = 0
    squares = 0.0
    peak = 0.0
    clipped = False
    # The end of a block is looked at again with the next one: a run may go over the border.
    tail: Float64Array = np.zeros((0, 1))
    for header, block in read_blocks(path):
        frames += len(block)
        squares += float(np.square(block).sum())
        peak = max(peak, float(np.abs(block).max()))
        tail = np.concatenate([tail, block]) if len(tail) else block
        clipped = clipped or _is_clipped(tail, header)
        tail = tail[1 - CLIPPED_RUN :]

    assert header is not None, "a file without samples is an error"
    rms = float(np.sqrt(squares / (frames * header.channels)))
    return FileFacts(path, header, frames / header.sample_rate, rms, peak, clipped)


def _is_clipped(block: Float64Array, header: Header) -> bool:
    """Return whether samples (frames, channels) have a run at full scale.

    The largest integer is a step below 1.
    """
    limit = 1.0
    if header.integer and header.bits:
        limit = 1 - 2.0 ** (1 - header.bits)
    full = np.abs(block) >= limit
    run = full[CLIPPED_RUN - 1 :]
    for back in range(1, CLIPPED_RUN):
        run = run & full[CLIPPED_RUN - 1 - back : len(full) - back]
    return bool(run.any())


def _summary(
    split: str, kind: str, files: Sequence[AudioFile], facts: dict[Path, FileFacts | str]
) -> Summary:
    """Return the summary of the files of one kind in one split."""
    readable, unreadable = _problems_apart([facts[file.path] for file in files])
    headers = [fact.header for fact in readable]
    seconds = [fact.seconds for fact in readable]
    silent = [fact for fact in readable if fact.is_silent]
    clipped = [fact for fact in readable if fact.clipped]
    return Summary(
        split=split,
        kind=kind,
        files=len(files),
        hours=sum(seconds) / 3600,
        groups=len({file.group for file in files}),
        shortest_seconds=min(seconds, default=None),
        longest_seconds=max(seconds, default=None),
        sample_rates=_counts(headers, "sample_rate"),
        channels=_counts(headers, "channels"),
        bits=_counts(headers, "bits"),
        level_dbfs=_level_percentiles(readable),
        peak_dbfs=_peak_dbfs(readable),
        clipped=_names(clipped),
        silent=_names(silent),
        unreadable=tuple(unreadable),
    )


def _problems_apart(results: Sequence[Result | str]) -> tuple[list[Result], list[str]]:
    """Return the results of files that can be used, and the problems of the others."""
    usable = []
    problems = []
    for result in results:
        if isinstance(result, str):
            problems.append(result)
        else:
            usable.append(result)
    return usable, problems


def _names(facts: Sequence[FileFacts]) -> tuple[str, ...]:
    return tuple(str(fact.path) for fact in facts)


def _level_percentiles(readable: Sequence[FileFacts]) -> dict[str, float]:
    """Return percentiles of the levels in dB of files with sound; nothing where there is none."""
    levels = [_db(fact.rms) for fact in readable if not fact.is_silent]
    if not levels:
        return {}
    return {str(percent): float(np.percentile(levels, percent)) for percent in PERCENTILES}


def _peak_dbfs(readable: Sequence[FileFacts]) -> float | None:
    """Return the loudest sample of all in dB; None where no file has sound."""
    if all(fact.is_silent for fact in readable):
        return None
    return _db(max(fact.peak for fact in readable))


def _counts(headers: Sequence[Header], field: str) -> dict[str, int]:
    """Return the number of times that each value of a field is there, the most frequent first.

    "-" stands for formats without such a number.
    """
    values = Counter(getattr(header, field) or "-" for header in headers)
    return {str(value): count for value, count in values.most_common()}


def _db(amplitude: float) -> float:
    return float(20 * np.log10(amplitude))


@dataclass(frozen=True)
class _PairFacts:
    """Measurements of one pair: its SNR in dB, and what is wrong with its timing, or ""."""

    snr_db: float
    misalignment: str


def _pair_summary(name: str, split: CorpusSplit) -> PairSummary:
    """Return the SNRs and the problems of the pairs of a split."""
    results = _on_all_cores(_pair_facts, split.pairs, f"comparing pairs of {name}")
    facts, problems = _problems_apart(results)
    counts = Counter(sorted(fact.snr_db for fact in facts))
    return PairSummary(
        split=name,
        pairs=len(facts),
        snr_db={f"{snr:g}": count for snr, count in counts.items()},
        unusable=tuple(problems),
        unmatched=tuple(map(str, split.unmatched)),
        misaligned=tuple(fact.misalignment for fact in facts if fact.misalignment),
    )


def _pair_facts(pair: Pair) -> _PairFacts | str:
    """Return the measurements of a pair, or the reason that it cannot be used."""
    try:
        noisy, clean = read_pair(pair)
    except TinypruneError as error:
        return str(error)
    snr_db = measured_snr_db(noisy, clean) if pair.snr_db is None else pair.snr_db
    problem = misalignment(noisy, clean)
    return _PairFacts(snr_db, f"{pair.name}: {problem}" if problem else "")
