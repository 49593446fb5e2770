"""What a device hears instead of a studio's clip: spoken a little earlier or later, louder or softer, in noise."""

from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import Float32Array

SHIFT = 1600  # samples, 100 ms at 16 kHz
LEVEL_DB = 6.0
SNR_DB = (5.0, 20.0)
NOISY = 0.8
_SECONDS_OF_A_COLOUR = 20
_FULL_SCALE = 32768.0


@dataclass(frozen=True, eq=False)
class Distortion:
    """Time shifts of up to 100 ms, levels of up to 6 dB, and noise at 5 to 20 dB SNR in four of five clips.

    Attributes:
        noise: samples that excerpts are taken from, float32 (m,), at least as long as a clip; their
            level is free.
    """

    noise: Float32Array

    def __call__(self, clips: np.ndarray, rng: np.random.Generator) -> Float32Array:
        """Other versions of clips (n, samples), int16: float32 with a full scale of 1, which a loud one may pass."""
        count, samples = clips.shape
        clean = _shifted(clips, rng.integers(-SHIFT, SHIFT + 1, (count,))) / np.float32(_FULL_SCALE)
        clean *= _gain(rng.uniform(-LEVEL_DB, LEVEL_DB, (count, 1)))
        starts = rng.integers(0, len(self.noise) - samples + 1, count)
        noise = np.stack([self.noise[start : start + samples] for start in starts])
        gain = _gain(-rng.uniform(*SNR_DB, (count, 1))) * (rng.random((count, 1)) < NOISY)
        return clean + noise * (gain * _rms(clean) / np.maximum(_rms(noise), 1e-6)).astype(
            np.float32
        )


def coloured_noise(samples: int, rng: np.random.Generator) -> Float32Array:
    """White, pink (power ~ 1/f) and brown (1/f^2) noise one after the other, 20 s each or ``samples`` if that is more.

    Returns:
        float32, shape (3 * max(samples, 320000),), of RMS 0.1.
    """
    length = max(samples, _SECONDS_OF_A_COLOUR * 16_000)
    white = np.fft.rfft(rng.normal(size=length))
    bins = np.maximum(
        np.arange(len(white)), length // 400
    )  # flat below 40 Hz, which no front end hears
    colours = [np.fft.irfft(white * bins**exponent, length) for exponent in (0.0, -0.5, -1.0)]
    return np.concatenate([0.1 * colour / colour.std() for colour in colours]).astype(np.float32)


def _shifted(clips: np.ndarray, shifts: np.ndarray) -> Float32Array:
    """Clips (n, samples) later by ``shifts`` samples (n,), with zeros where nothing is known."""
    samples = clips.shape[1]
    padded = np.pad(clips, [(0, 0), (SHIFT, SHIFT)])
    rows = [row[start : start + samples] for row, start in zip(padded, SHIFT - shifts, strict=True)]
    return np.stack(rows).astype(np.float32)


def _gain(level_db: np.ndarray) -> Float32Array:
    """Factors (n, 1) of levels in dB (n, 1)."""
    return (10 ** (level_db / 20)).astype(np.float32)


def _rms(signals: Float32Array) -> Float32Array:
    """Root mean squares (n, 1) of signals (n, samples)."""
    return np.sqrt(np.mean(np.square(signals), axis=1, keepdims=True))
