"""Noisy files and their clean ones: found by their names, checked, and decoded into one store."""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.files import list_audio, read_header, read_mono
from tinyprune.data.clips import Clip, ClipStore, open_store
from tinyprune.data.corpora.corpus import Pair, Part, digest, some
from tinyprune.data.speech.mixing import SAMPLE_RATE, SILENCE_RMS
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.progress import track

log = logging.getLogger(__name__)

TOLERANCE = (
    16  # samples of 16 kHz, 1 ms: what resampling may make of one length; the longer file is cut
)
SNR_STEP_DB = 5.0  # measured SNRs are rounded to it, so that results can be grouped by them
_FLOOR = 2.0**-30 / 12  # power of the rounding error of 16-bit samples
#: Numbers that the synthesizers of DNS-Challenge and MS-SNSD give to both files of a pair.
_NUMBERED = re.compile(r"(fileid_\d+|clnsp\d+)$")


def match(noisy: Path, clean: Path) -> Part:
    """The pairs of two folders: files with the same path below them, whatever their suffix.

    Where no two names are the same, files are paired by the ``fileid_12`` or ``clnsp12`` that their
    names end with, as the synthesizers of DNS-Challenge and MS-SNSD name them. Raises UsageError if
    nothing matches.
    """
    sides = list_audio(noisy), list_audio(clean)
    for key in (_relative, _numbered):
        left = [(key(path, noisy), path) for path in sides[0]]
        right = {key(path, clean): path for path in reversed(sides[1]) if key(path, clean)}
        pairs = [Pair(path, right[name], _relative(path, noisy), speaker_of(path, noisy)) for name, path in left
                 if name in right]  # fmt: skip
        if pairs:
            used = {path for pair in pairs for path in (pair.noisy, pair.clean)}
            return Part(
                tuple(pairs), tuple(path for side in sides for path in side if path not in used)
            )
    raise UsageError(
        f"no file in {noisy} has the name of one in {clean}: of {len(sides[0])} and {len(sides[1])} files, "
        f"e.g. {_relative(sides[0][0], noisy)} and {_relative(sides[1][0], clean)}"
    )


def speaker_of(path: Path, root: Path) -> str:
    """The speaker of a file: its folder, or, right below the root, what stands before the first "_" or "-"."""
    folder = path.parent.relative_to(root).as_posix()
    return folder if folder != "." else re.split("[_-]", path.stem, maxsplit=1)[0]


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).with_suffix("").as_posix()


def _numbered(path: Path, root: Path) -> str:
    number = _NUMBERED.search(PurePath(_relative(path, root)).name)
    return number[0] if number else ""


@dataclass(frozen=True)
class PairStore:
    """Decoded pairs, each as two clips of one length: the noisy one, then the clean one.

    Attributes:
        clips: the store. pairs: what is known of each pair, (n).
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
        """Noisy and clean, (2, samples), of a pair from ``start``; repeated where it is too short."""
        return np.stack([self.clips.excerpt(2 * number + side, start, samples) for side in (0, 1)])

    def subset(self, keep: np.ndarray) -> "PairStore":
        """A view of the pairs where ``keep``, shape (n,), is true."""
        kept = tuple(pair for pair, wanted in zip(self.pairs, keep, strict=True) if wanted)
        return PairStore(self.clips.subset(np.repeat(keep, 2)), kept)


def open_pairs(part: Part, where: str, cache: Path) -> PairStore:
    """The pairs of a split that can be used, decoded once into a file of ``cache``.

    Those that cannot be are left out, with one warning that counts them: files that are unreadable
        or silent, pairs
    whose files differ in sampling rate or number of channels, or in length by more than 1 ms. Two
    stereo files are a
    pair: their channels are averaged. Raises UsageError if nothing is left. ``where``: what
        messages call the split.
    """
    files = [path for pair in part.pairs for path in (pair.noisy, pair.clean)]
    clips = open_store(cache / f"pairs-{digest(files)}.pcm", _clips(part, where))
    kept = tuple(part.pairs[int(number)] for number in clips.names[::2])
    return PairStore(clips, kept)


def _clips(part: Part, where: str) -> Iterator[Clip]:
    """Two clips of each usable pair; their name is the number of the pair."""
    bad: list[str] = []
    for number, pair in enumerate(track(part.pairs, "reading pairs", len(part.pairs))):
        try:
            for samples in read_pair(pair):
                yield Clip(str(number), pair.speaker, samples)
        except TinypruneError as error:
            bad.append(str(error))
    if len(bad) == len(part.pairs):
        raise UsageError(f"none of the {len(bad)} pairs in {where} can be used, e.g. {bad[0]}")
    if bad:
        log.warning(
            "%d of %d pairs in %s were left out: %s", len(bad), len(part.pairs), where, some(bad)
        )
    if part.unmatched:
        log.warning(
            "%d of the files in %s have no partner: %s",
            len(part.unmatched),
            where,
            some(part.unmatched),
        )


def read_pair(pair: Pair) -> tuple[Float32Array, Float32Array]:
    """(noisy, clean) samples of one length, both scaled by one factor if either passes full scale.

    Raises TinypruneError if they are not a pair that one can learn from, see :func:`open_pairs`.
    """
    check_headers(pair)
    noisy, clean = read_mono(pair.noisy), read_mono(pair.clean)
    if abs(len(noisy) - len(clean)) > TOLERANCE:
        lengths = f"noisy {len(noisy) / SAMPLE_RATE:.3f} s, clean {len(clean) / SAMPLE_RATE:.3f} s"
        raise TinypruneError(f"pair {pair.name} differs in length: {lengths}")
    for path, samples in ((pair.noisy, noisy), (pair.clean, clean)):
        if np.sqrt(np.mean(np.square(samples))) < SILENCE_RMS:
            raise TinypruneError(f"{path} is silent")
    length = min(len(noisy), len(clean))
    scale = np.float32(1 / max(1.0, float(np.abs(noisy).max()), float(np.abs(clean).max())))
    return noisy[:length] * scale, clean[:length] * scale


def check_headers(pair: Pair) -> None:
    """Raise TinypruneError if the two files cannot be read or differ in sampling rate or number of channels."""
    noisy, clean = read_header(pair.noisy), read_header(pair.clean)
    if noisy.sample_rate != clean.sample_rate:
        rates = f"noisy {noisy.sample_rate} Hz, clean {clean.sample_rate} Hz"
        raise TinypruneError(f"pair {pair.name} differs in sampling rate: {rates}")
    if noisy.channels != clean.channels:
        raise TinypruneError(
            f"pair {pair.name} differs in channels: noisy {noisy.channels}, clean {clean.channels}"
        )


def measured_snr_db(noisy: Float32Array, clean: Float32Array) -> float:
    """SNR of a pair, ``10 log10(sum clean^2 / sum (noisy - clean)^2)``, rounded to the nearest 5 dB.

    The noise is at least the rounding error of 16-bit samples, so it is finite for equal signals
    too.
    """
    added = noisy.astype(np.float64) - clean
    power = float(np.mean(np.square(clean, dtype=np.float64)))
    snr_db = 10 * np.log10(max(power, _FLOOR) / max(float(np.mean(added**2)), _FLOOR))
    return SNR_STEP_DB * round(snr_db / SNR_STEP_DB)
