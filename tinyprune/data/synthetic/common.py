"""The common parts of synthetic speech and noise: splits, seeds, the stream of clips, the level."""

from collections.abc import Callable, Iterator

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.files import SAMPLE_RATE
from tinyprune.data.clips import Clip
from tinyprune.errors import UsageError, unknown_name

SPLITS = ("train", "dev", "test")
_KINDS = ("speech", "noise")
_HIGHEST_PEAK = 0.95


def generator(kind: str, split: str, seed: int, index: int) -> np.random.Generator:
    """Return the random numbers of one clip, independent of those of every other clip."""
    entropy = [seed, _KINDS.index(kind), SPLITS.index(split), index]
    return np.random.default_rng(np.random.SeedSequence(entropy))


def check(split: str, seed: int) -> None:
    """Raise UsageError for a split that does not exist or a seed that cannot be one."""
    if split not in SPLITS:
        raise unknown_name("split", split, SPLITS)
    if seed < 0:
        raise UsageError(f"seed {seed} is negative: expected 0 or more")


def stream(make: Callable[[int], Clip], minutes: float) -> Iterator[Clip]:
    """Yield clips ``make(0)``, ``make(1)``, ... until they last ``minutes`` or a little longer."""
    left = minutes * 60 * SAMPLE_RATE
    index = 0
    while left > 0:
        clip = make(index)
        yield clip
        left -= len(clip.samples)
        index += 1


def at_level(samples: np.ndarray, rms_db: float) -> Float32Array:
    """Scale to an RMS level in dB relative to full scale, lower where the peak would pass 0.95.

    Args:
        samples: float, shape (samples,).
        rms_db: RMS of the result, in dB relative to an RMS of 1.

    Returns:
        float32, shape (samples,).
    """
    rms = float(np.sqrt(np.mean(np.square(samples)))) or 1.0
    peak = float(np.abs(samples).max()) or 1.0
    gain = min(10 ** (rms_db / 20) / rms, _HIGHEST_PEAK / peak)
    return (samples * gain).astype(np.float32)
