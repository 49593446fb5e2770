"""Whether a record of a front end, which may come from anywhere, fits together."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tinyprune.audio.frontend import FrontEnd

if TYPE_CHECKING:
    from tinyprune.audio.device import DeviceFrontEnd
    from tinyprune.audio.device_mfcc import DeviceMfcc

LONGEST_FRAME = 2**16  # samples
_NUMBERS = ("mean", "std", "analysis_window", "synthesis_window", "mel_weights", "spread_weights")


def mismatch(record: "FrontEnd | DeviceFrontEnd") -> str:
    """Return what does not fit in a record, by the name of its field; empty where all does."""
    if not (record.sample_rate > 0 and 1 < record.frame <= LONGEST_FRAME):
        return "sample_rate or frame is out of range"
    if not (len(record.mean) == len(record.std) == record.bands > 0):
        return "expected the mean and the deviation of each of its mel bands"
    for name in _NUMBERS:
        if not all(map(math.isfinite, getattr(record, name, ()))):
            return f"{name} has a number that is not finite"
    if not (math.isfinite(record.power) and all(deviation > 0 for deviation in record.std)):
        return "power or a deviation is out of range"
    return ""


def mismatch_of_device(record: "DeviceFrontEnd") -> str:
    """Return the same of what a record for firmware has beside the front end."""
    if record.fft != record.frame or record.hop * 2 != record.frame:
        return "hop and fft do not go with frame"
    for name in ("analysis_window", "synthesis_window"):
        if len(getattr(record, name)) != record.frame:
            return f"{name} is not as long as a frame"
    bins = record.fft // 2 + 1
    mel = (record.mel_first, record.mel_lengths)
    if not is_packed(*mel, len(record.mel_weights), record.bands, bins):
        return "mel_first, mel_lengths and mel_weights are no matrix (bands, bins)"
    spread = (record.spread_first, record.spread_lengths)
    if not is_packed(*spread, len(record.spread_weights), bins, record.bands):
        return "spread_first, spread_lengths and spread_weights are no matrix (bins, bands)"
    return ""


def mismatch_of_mfcc(record: "DeviceMfcc") -> str:
    """Return what does not fit in a record of a keyword network; empty where all does."""
    if not 0 < record.window <= min(record.fft, LONGEST_FRAME) or record.stride < 1:
        return "window, stride or fft is out of range"
    if record.frames < 1 or record.samples < record.window + (record.frames - 1) * record.stride:
        return "samples are too few for its frames"
    if len(record.analysis_window) != record.window:
        return "analysis_window is not as long as a window"
    if len(record.dct) != record.coefficients * record.bands:
        return "dct is no matrix (coefficients, bands)"
    mel = (record.mel_first, record.mel_lengths)
    if not is_packed(*mel, len(record.mel_weights), record.bands, record.fft // 2 + 1):
        return "mel_first, mel_lengths and mel_weights are no matrix (bands, bins)"
    return _mismatch_of_coefficients(record)


def _mismatch_of_coefficients(record: "DeviceMfcc") -> str:
    """Return what does not fit in the statistics and the numbers of a keyword network's record."""
    if not len(record.mean) == len(record.std) == record.coefficients > 0:
        return "expected the mean and the deviation of each of its coefficients"
    for name in ("mean", "std", "analysis_window", "mel_weights", "dct"):
        if not all(map(math.isfinite, getattr(record, name))):
            return f"{name} has a number that is not finite"
    if not all(deviation > 0 for deviation in record.std):
        return "a deviation is out of range"
    return ""


def is_packed(
    first: Sequence[int], lengths: Sequence[int], weights: int, rows: int, columns: int
) -> bool:
    """Return whether the fields of a packed matrix make one of (rows, columns)."""
    if not len(first) == len(lengths) == rows or sum(lengths) != weights:
        return False
    for start, length in zip(first, lengths, strict=True):
        if start < 0 or length < 0 or start + length > columns:
            return False
    return True
