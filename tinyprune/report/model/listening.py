"""Recordings that a report carries to listen to."""

import io
import wave
from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import Float32Array

_BYTES = 2  # of a sample


@dataclass(frozen=True)
class Clip:
    """One recording.

    Attributes:
        label: what made it. wav: the content of a file, mono, 16 bit.
        si_sdr_db: against the clean speech; None where there is no such ratio.
    """

    label: str
    wav: bytes
    si_sdr_db: float | None = None


@dataclass(frozen=True)
class Example:
    """One mixture of dev in several forms.

    Attributes:
        name: of speech and noise. category: of the noise; empty if unknown.
        snr_db: of the mixture; not finite where there is no noise. seconds: of each clip.
        clips: the mixture, its clean speech, and what networks make of it.
    """

    name: str
    category: str
    snr_db: float
    seconds: float
    clips: tuple[Clip, ...]


@dataclass(frozen=True)
class Listening:
    """The recordings of a report.

    Attributes:
        examples: from the lowest SNR to the highest. notes: what computed them, a line each.
    """

    examples: tuple[Example, ...]
    notes: tuple[str, ...]


def to_wav(samples: Float32Array, rate: int) -> bytes:
    """Return samples (n,), full scale 1, as the content of a mono WAV of 16 bit."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(_BYTES)
        written.setframerate(rate)
        written.writeframes(to_int16(samples).tobytes())
    return file.getvalue()


def to_int16(samples: Float32Array) -> "np.ndarray[tuple[int, ...], np.dtype[np.int16]]":
    """Return samples, full scale 1, rounded to 16 bit and limited to them."""
    steps = np.rint(samples.astype(np.float64) * 2**15)
    return np.clip(steps, -(2**15), 2**15 - 1).astype("<i2")
