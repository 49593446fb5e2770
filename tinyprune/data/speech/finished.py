"""Finished audio: folders that a device or another program has enhanced, beside clean speech."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.alignment import alignment
from tinyprune.audio.files import SAMPLE_RATE, read_mono
from tinyprune.data.corpora.corpus import Pair, first_few
from tinyprune.data.speech import pair_store
from tinyprune.errors import UsageError

log = logging.getLogger(__name__)

#: Largest difference in length, and largest lag: a second.
TOLERANCE_SECONDS = 1.0


@dataclass(frozen=True)
class AlignedPair:
    """Finished audio at the place and with the polarity of its clean speech.

    Attributes:
        clean, estimate: samples (n,), 16 kHz mono.
        lag: samples by which the file was later. was_inverted: True if its polarity was opposite.
    """

    clean: Float32Array
    estimate: Float32Array
    lag: int
    was_inverted: bool


def finished_pairs(folder: Path, clean: Path) -> tuple[Pair, ...]:
    """Return the files of a folder beside the clean speech of the same names, by name.

    Files that have no clean speech are left out with a warning. Raises UsageError where clean
    speech has no file: scores of different files cannot be compared.
    """
    split = pair_store.match(folder, clean)
    missing = [path for path in split.unmatched if path.is_relative_to(clean)]
    if missing:
        raise UsageError(
            f"{folder} lacks {len(missing)} of the files in {clean}: {first_few(missing)}; "
            "expected one of each name"
        )
    if split.unmatched:
        log.warning(
            "%d files of %s have no clean speech and were left out: %s",
            len(split.unmatched),
            folder,
            first_few(split.unmatched),
        )
    return tuple(sorted(split.pairs, key=lambda pair: pair.name))


def aligned_pairs(folder: Path, pairs: Sequence[Pair]) -> Iterator[AlignedPair]:
    """Yield the pairs of a folder; what was shifted or inverted is logged at the end."""
    lags: list[int] = []
    inverted = 0
    for pair in pairs:
        aligned = read_aligned(pair)
        lags.append(aligned.lag)
        inverted += aligned.was_inverted
        yield aligned
    moved = np.count_nonzero(lags)
    if moved or inverted:
        median_ms = float(np.median(lags)) * 1000 / SAMPLE_RATE
        log.info(
            "%s: %d of %d files were moved (median lag %.1f ms), %d were inverted, before scoring",
            folder,
            moved,
            len(lags),
            median_ms,
            inverted,
        )


def read_aligned(pair: Pair) -> AlignedPair:
    """Read a pair at 16 kHz, and undo lag and polarity as :func:`aligned_to`.

    Raises UsageError for lengths that differ by more than a second, TinypruneError for files that
    cannot be read.
    """
    return aligned_to(read_mono(pair.clean), read_mono(pair.noisy), pair.noisy)


def aligned_to(clean: Float32Array, estimate: Float32Array, path: Path) -> AlignedPair:
    """Find lag and polarity of an estimate, and undo them; both end with the shorter one.

    Args:
        clean, estimate: samples (n,), (m,), 16 kHz mono.
        path: of the estimate, for messages.

    Raises UsageError for lengths that differ by more than a second.
    """
    most = round(TOLERANCE_SECONDS * SAMPLE_RATE)
    if abs(len(clean) - len(estimate)) > most:
        raise UsageError(
            f"{path} has {len(estimate) / SAMPLE_RATE:.2f} s, its clean speech "
            f"{len(clean) / SAMPLE_RATE:.2f} s: expected lengths that differ by a second at most"
        )
    found = alignment(clean, estimate, most)
    if found.lag > 0:
        estimate = estimate[found.lag :]
    else:
        clean = clean[-found.lag :]
    length = min(len(clean), len(estimate))
    sign = np.float32(-1 if found.is_inverted else 1)
    return AlignedPair(clean[:length], sign * estimate[:length], found.lag, found.is_inverted)
