"""Speech at another speed, in a room, or as babble: pure functions on batches of signals."""

import numpy as np

from tinyprune.array_types import Float32Array, FloatArray

QUALITY = "LQ"  # of soxr: good for 16 bits, in which clips are stored


def excerpt_length(samples: int, fastest: float) -> int:
    """Return the samples that :func:`change_speed` needs to make ``samples`` at any factor."""
    return int(np.ceil(samples * fastest))


def change_speed(excerpts: Float32Array, factors: np.ndarray, samples: int) -> Float32Array:
    """Play excerpts (batch, n) ``factors`` (batch,) times as fast: tempo and pitch change.

    ``y(t) = x(factor * t)``, resampled from ``factor`` times the sampling rate, of shape (batch,
    samples). Row i uses its first ``excerpt_length(samples, factors[i])`` samples, zeros where it
    has fewer; a factor of 1 changes nothing. Ko et al. 2015, "Audio augmentation for speech
    recognition".
    """
    import soxr

    played = np.zeros((len(excerpts), samples), np.float32)
    for row, excerpt, factor in zip(played, excerpts, factors.tolist(), strict=True):
        resampled = excerpt[: excerpt_length(samples, factor)]
        if factor != 1:
            resampled = soxr.resample(resampled, factor, 1.0, quality=QUALITY)[:samples]
        row[: len(resampled)] = resampled
    return played


def reverberate(speech: Float32Array, rirs: Float32Array) -> Float32Array:
    """Return speech (batch, samples) as it sounds in rooms of impulse responses (batch, m).

    ``y = g * (x * h)`` with :func:`convolve`, so that the direct path stays where it was, and g
    such that y has the energy of x. The result is the *target* of training, not only its input:
    the network learns to take away noise, not the room.
    """
    wet = convolve(speech, rirs)
    dry_norms = np.linalg.norm(speech, axis=1)
    wet_norms = np.linalg.norm(wet, axis=1)
    gains = dry_norms / np.maximum(wet_norms, np.float32(1e-9))
    return wet * gains[:, None]


def convolve(signals: FloatArray, rirs: FloatArray) -> FloatArray:
    """Convolve the rows of (batch, samples) and (batch, m) by FFT, in their precision.

    ``y(t) = sum over k of h(k) x(t + d - k)``, d being where the largest sample of h is: the direct
    path. The result is of shape (batch, samples).
    """
    from scipy import fft

    samples = signals.shape[1]
    size = fft.next_fast_len(samples + rirs.shape[1] - 1, real=True)
    convolved = fft.irfft(fft.rfft(signals, size) * fft.rfft(rirs, size), size)
    direct_paths = np.abs(rirs).argmax(axis=1)
    rows = zip(convolved, direct_paths, strict=True)
    return np.stack([row[start : start + samples] for row, start in rows])


def sum_voices(voices: Float32Array) -> Float32Array:
    """Return voices (n, samples) of unit level at once, (samples,), of unit level again.

    The sum is divided by ``sqrt(n)``: levels of independent signals add up as powers do.
    """
    return voices.sum(axis=0) / np.float32(np.sqrt(len(voices)))
