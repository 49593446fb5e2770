"""Distortion of clips as a device hears them: earlier or later, louder or softer, in noise."""

from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.files import SAMPLE_RATE
from tinyprune.audio.mfcc import INT16_FULL_SCALE

SHIFT = 1600  # samples, 100 ms at 16 kHz
LEVEL_DB = 6.0
SNR_DB = (5.0, 20.0)
NOISY = 0.8
_SECONDS_OF_A_COLOUR = 20


@dataclass(frozen=True, eq=False)
class Distortion:
    """Random shifts, levels and noise of clips.

    Shifts are up to 100 ms, levels up to 6 dB; four of five clips have noise at 5 to 20 dB SNR.

    Attributes:
        noise: samples that excerpts are taken from, float32 (m,), at least as long as a clip; their
            level is free.
    """

    noise: Float32Array

    def __call__(self, clips: np.ndarray, rng: np.random.Generator) -> Float32Array:
        """Return other versions of clips (n, samples), int16.

        They are float32 with a full scale of 1, which a loud one may pass.
        """
        count, samples = clips.shape
        shifts = rng.integers(-SHIFT, SHIFT + 1, (count,))
        clean = _shifted(clips, shifts) / np.float32(INT16_FULL_SCALE)
        clean *= _gain(rng.uniform(-LEVEL_DB, LEVEL_DB, (count, 1)))

        starts = rng.integers(0, len(self.noise) - samples + 1, count)
        noise = np.stack([self.noise[start : start + samples] for start in starts])
        snr_db = rng.uniform(*SNR_DB, (count, 1))
        is_noisy = rng.random((count, 1)) < NOISY
        gain = _gain(-snr_db) * is_noisy
        scale = gain * _rms(clean) / np.maximum(_rms(noise), 1e-6)
        return clean + noise * scale.astype(np.float32)


def coloured_noise(samples: int, rng: np.random.Generator) -> Float32Array:
    """Return white, pink (power ~ 1/f) and brown (1/f^2) noise one after the other.

    Each lasts 20 s, or ``samples`` if that is more.

    Returns:
        float32, shape (3 * max(samples, 320000),), of RMS 0.1.
    """
    length = max(samples, _SECONDS_OF_A_COLOUR * SAMPLE_RATE)
    white = np.fft.rfft(rng.normal(size=length))
    below_40_hz = length // 400
    bins = np.maximum(np.arange(len(white)), below_40_hz)  # flat where no front end hears
    colours = []
    for exponent in (0.0, -0.5, -1.0):
        colour = np.fft.irfft(white * bins**exponent, length)
        colours.append(0.1 * colour / colour.std())
    return np.concatenate(colours).astype(np.float32)


def _shifted(clips: np.ndarray, shifts: np.ndarray) -> Float32Array:
    """Return clips (n, samples) later by ``shifts`` samples (n,), with zeros around them."""
    samples = clips.shape[1]
    padded = np.pad(clips, [(0, 0), (SHIFT, SHIFT)])
    starts = zip(padded, SHIFT - shifts, strict=True)
    return np.stack([row[start : start + samples] for row, start in starts]).astype(np.float32)


def _gain(level_db: np.ndarray) -> Float32Array:
    """Return factors (n, 1) of levels in dB (n, 1)."""
    return (10 ** (level_db / 20)).astype(np.float32)


def _rms(signals: Float32Array) -> Float32Array:
    """Return root mean squares (n, 1) of signals (n, samples)."""
    return np.sqrt(np.mean(np.square(signals), axis=1, keepdims=True))
