"""Noisy files and their clean ones: found by their names, checked, and decoded into one store."""

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.alignment import alignment
from tinyprune.audio.files import SAMPLE_RATE, list_audio, read_header, read_mono
from tinyprune.data.clips import EXACT, ROUNDED, Clip, ClipStore, open_store
from tinyprune.data.corpora.corpus import (
    CorpusSplit,
    Pair,
    cache_key,
    distinct_names,
    first_few,
    speaker_in,
)
from tinyprune.data.speech.mixing import SILENCE_RMS
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.progress import track

log = logging.getLogger(__name__)

#: Samples of 16 kHz, 1 ms, that resampling may make of one length; the longer file is cut.
TOLERANCE = 16
#: The largest delay that is looked for, in samples of 16 kHz: half a second.
LARGEST_LAG = 8000
#: Measured SNRs are rounded to it, so that results can be grouped by them.
SNR_STEP_DB = 5.0
#: Begin of the names of stores, by how samples are stored.
_KINDS = {ROUNDED: "pairs", EXACT: "exact-pairs"}
_FLOOR = 2.0**-30 / 12  # power of the rounding error of 16-bit samples
#: Numbers that the synthesizers of DNS-Challenge and MS-SNSD give to both files of a pair.
_FILE_NUMBER = re.compile(r"(fileid_\d+|clnsp\d+)$")


def match(noisy: Path, clean: Path) -> CorpusSplit:
    """Return the pairs of two folders: files with the same path below them, whatever their suffix.

    Where no two names are the same, files are paired by the ``fileid_12`` or ``clnsp12`` that their
    names end with, as the synthesizers of DNS-Challenge and MS-SNSD name them. Raises UsageError if
    nothing matches.
    """
    noisy_files = list_audio(noisy)
    clean_files = list_audio(clean)
    for key in (_relative_name, _file_number):
        partners = _by_key(clean_files, clean, key)
        pairs = []
        for path in noisy_files:
            partner = partners.get(key(path, noisy))
            if partner is not None:
                name = _relative_name(path, noisy)
                pairs.append(Pair(path, partner, name, speaker_of(path, noisy)))
        if pairs:
            return _with_unmatched(pairs, noisy_files + clean_files)

    examples = (
        f"{_relative_name(noisy_files[0], noisy)} and {_relative_name(clean_files[0], clean)}"
    )
    raise UsageError(
        f"no file in {noisy} has the name of one in {clean}: "
        f"of {len(noisy_files)} and {len(clean_files)} files, e.g. {examples}"
    )


def match_each(noisy: Sequence[Path], clean: Sequence[Path]) -> CorpusSplit:
    """Return the pairs of several folders: the first noisy one with the first clean one, and so on.

    Of several the name of the noisy folder is before the names of its pairs. Raises UsageError if
    nothing matches, or there are not as many of both.
    """
    if len(noisy) != len(clean):
        raise UsageError(
            f"{len(noisy)} folders of noisy recordings and {len(clean)} of clean speech: "
            "expected one of each, in the same order"
        )
    if len(noisy) == 1:
        return match(noisy[0], clean[0])
    pairs: dict[Path, Pair] = {}
    unmatched: list[Path] = []
    for label, *folders in zip(distinct_names(noisy), noisy, clean, strict=True):
        split = match(*folders)
        unmatched += split.unmatched
        for pair in split.pairs:
            named = replace(pair, name=f"{label}/{pair.name}")
            pairs.setdefault(pair.noisy.resolve(), named)
    return CorpusSplit(tuple(pairs.values()), tuple(unmatched))


def _by_key(files: list[Path], root: Path, key: Callable[[Path, Path], str]) -> dict[str, Path]:
    """Return the files by a key of their names; of several with one key the first."""
    by_key: dict[str, Path] = {}
    for path in files:
        name = key(path, root)
        if name:
            by_key.setdefault(name, path)
    return by_key


def _with_unmatched(pairs: list[Pair], files: list[Path]) -> CorpusSplit:
    """Return the pairs, and the files that are in none of them."""
    matched: set[Path] = set()
    for pair in pairs:
        matched.update((pair.noisy, pair.clean))
    return CorpusSplit(tuple(pairs), tuple(path for path in files if path not in matched))


def speaker_of(path: Path, root: Path) -> str:
    """Return the speaker of a file: the one that its name says, else its folder.

    Right below the root, the speaker is the beginning of its name up to the first "_" or "-".
    """
    named = speaker_in(path.stem)
    if named:
        return named
    folder = path.parent.relative_to(root).as_posix()
    return folder if folder != "." else re.split("[_-]", path.stem, maxsplit=1)[0]


def _relative_name(path: Path, root: Path) -> str:
    return path.relative_to(root).with_suffix("").as_posix()


def _file_number(path: Path, root: Path) -> str:
    number = _FILE_NUMBER.search(PurePath(_relative_name(path, root)).name)
    return number[0] if number else ""


@dataclass(frozen=True)
class PairStore:
    """Decoded pairs, each as two clips of one length: the noisy one, then the clean one.

    Attributes:
        clips: the store. pairs: files, name, speaker, category and SNR of each pair, (n).
    """

    clips: ClipStore
    pairs: tuple[Pair, ...]

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def lengths(self) -> np.ndarray:
        """Samples of each pair, shape (n,)."""
        return self.clips.lengths[1::2]

    @property
    def rms(self) -> np.ndarray:
        """Root mean square of each clean recording, shape (n,)."""
        return self.clips.rms[1::2]

    def excerpt(self, number: int, start: int, samples: int) -> Float32Array:
        """Return noisy and clean, (2, samples), of a pair from ``start``; short ones repeat."""
        noisy = self.clips.excerpt(2 * number, start, samples)
        clean = self.clips.excerpt(2 * number + 1, start, samples)
        return np.stack([noisy, clean])

    def subset(self, keep: np.ndarray) -> "PairStore":
        """Return a view of the pairs where ``keep``, shape (n,), is true."""
        kept = tuple(self.pairs[number] for number in np.flatnonzero(keep))
        return PairStore(self.clips.subset(np.repeat(keep, 2)), kept)


def open_pairs(
    split: CorpusSplit, location: str, cache: Path, sample_type: str = ROUNDED
) -> PairStore:
    """Return the usable pairs of a split, decoded once into a file of ``cache``.

    The others are left out, with one warning that counts them: files that are unreadable or silent,
    pairs whose files differ in sampling rate or number of channels, or in length by more than 1 ms.
    Two stereo files are a pair: their channels are averaged. Raises UsageError if nothing is left.

    Args:
        split: the files. location: the split in messages. cache: folder of decoded audio.
        sample_type: how samples are stored: EXACT to score what a stream makes of the files.
    """
    files: list[Path] = []
    for pair in split.pairs:
        files += [pair.noisy, pair.clean]
    kind = _KINDS[sample_type]
    path = cache / f"{kind}-{cache_key(files)}.pcm"
    clips = open_store(path, _clips(split, location), sample_type)
    usable = tuple(split.pairs[int(number)] for number in clips.names[::2])
    return PairStore(clips, usable)


def _clips(split: CorpusSplit, location: str) -> Iterator[Clip]:
    """Yield two clips of each usable pair; their name is the number of the pair."""
    problems: list[str] = []
    misaligned: list[str] = []
    count = len(split.pairs)
    for number, pair in enumerate(track(split.pairs, "reading pairs", count)):
        try:
            noisy, clean = read_pair(pair)
        except TinypruneError as error:
            problems.append(str(error))
            continue
        yield Clip(str(number), pair.speaker, noisy)
        yield Clip(str(number), pair.speaker, clean)
        problem = misalignment(noisy, clean)
        if problem:
            misaligned.append(f"{pair.name}: {problem}")

    if len(problems) == count:
        raise UsageError(f"none of the {count} pairs in {location} can be used, e.g. {problems[0]}")
    if problems:
        log.warning(
            "%d of %d pairs in %s were left out: %s",
            len(problems),
            count,
            location,
            first_few(problems),
        )
    if misaligned:
        log.warning(
            "%d of %d pairs in %s are delayed or inverted, which no network can learn: %s",
            len(misaligned),
            count,
            location,
            first_few(misaligned),
        )
    if split.unmatched:
        log.warning(
            "%d of the files in %s have no partner: %s",
            len(split.unmatched),
            location,
            first_few(split.unmatched),
        )


def read_pair(pair: Pair) -> tuple[Float32Array, Float32Array]:
    """Return (noisy, clean) samples of one length.

    Both are scaled by one factor if either passes full scale. Raises TinypruneError if they are not
    a pair that one can learn from, see :func:`open_pairs`.
    """
    check_headers(pair)
    noisy = read_mono(pair.noisy)
    clean = read_mono(pair.clean)
    if abs(len(noisy) - len(clean)) > TOLERANCE:
        lengths = f"noisy {len(noisy) / SAMPLE_RATE:.3f} s, clean {len(clean) / SAMPLE_RATE:.3f} s"
        raise TinypruneError(f"pair {pair.name} differs in length: {lengths}")
    for path, samples in ((pair.noisy, noisy), (pair.clean, clean)):
        if np.sqrt(np.mean(np.square(samples))) < SILENCE_RMS:
            raise TinypruneError(f"{path} is silent")

    length = min(len(noisy), len(clean))
    peak = max(1.0, float(np.abs(noisy).max()), float(np.abs(clean).max()))
    scale = np.float32(1 / peak)
    return noisy[:length] * scale, clean[:length] * scale


def misalignment(noisy: Float32Array, clean: Float32Array) -> str:
    """Return what is wrong with the timing or polarity of a pair (n,), or "".

    Pairs that are delayed by a millisecond or more, or inverted, teach a network what it cannot
    learn. A reverberant recording is not delayed: its loudest sound is the direct one.
    """
    found = alignment(clean, noisy, LARGEST_LAG)
    problems = []
    if abs(found.lag) > TOLERANCE:
        side = "after" if found.lag > 0 else "before"
        problems.append(f"noisy is {abs(found.lag) * 1000 / SAMPLE_RATE:.0f} ms {side} clean")
    if found.is_inverted:
        problems.append("noisy is inverted")
    return ", ".join(problems)


def check_headers(pair: Pair) -> None:
    """Raise TinypruneError for files that cannot be read or differ in rate or channels."""
    noisy = read_header(pair.noisy)
    clean = read_header(pair.clean)
    if noisy.sample_rate != clean.sample_rate:
        rates = f"noisy {noisy.sample_rate} Hz, clean {clean.sample_rate} Hz"
        raise TinypruneError(f"pair {pair.name} differs in sampling rate: {rates}")
    if noisy.channels != clean.channels:
        channels = f"noisy {noisy.channels}, clean {clean.channels}"
        raise TinypruneError(f"pair {pair.name} differs in channels: {channels}")


def measured_snr_db(noisy: Float32Array, clean: Float32Array) -> float:
    """Return the SNR of a pair, rounded to the nearest 5 dB.

    It is ``10 log10(sum clean^2 / sum (noisy - clean)^2)``. The noise is at least the rounding
    error of 16-bit samples, so it is finite for equal signals too.
    """
    added = noisy.astype(np.float64) - clean
    speech_power = float(np.mean(np.square(clean, dtype=np.float64)))
    noise_power = float(np.mean(added**2))
    snr_db = 10 * np.log10(max(speech_power, _FLOOR) / max(noise_power, _FLOOR))
    return SNR_STEP_DB * round(snr_db / SNR_STEP_DB)
