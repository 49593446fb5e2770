"""Speech at another speed, in a room, or as babble: pure functions on batches of signals."""

import numpy as np

from tinyprune.array_types import Float32Array, FloatArray

QUALITY = "LQ"  # of soxr: good for 16 bits, which is what clips are stored with


def excerpt_length(samples: int, fastest: float) -> int:
    """Samples that :func:`change_speed` makes ``samples`` of, at factors up to ``fastest``."""
    return int(np.ceil(samples * fastest))


def change_speed(excerpts: Float32Array, factors: np.ndarray, samples: int) -> Float32Array:
    """Excerpts (batch, n) played ``factors`` (batch,) times as fast, shape (batch, samples): tempo and pitch change.

    ``y(t) = x(factor * t)``, resampled from ``factor`` times the sampling rate. Row i uses its
    first ``excerpt_length(samples, factors[i])`` samples, zeros where it has fewer; a factor of 1
    changes nothing. Ko et al. 2015, "Audio augmentation for speech recognition".
    """
    import soxr

    played = np.zeros((len(excerpts), samples), np.float32)
    for row, excerpt, factor in zip(played, excerpts, factors.tolist(), strict=True):
        needed = excerpt[: excerpt_length(samples, factor)]
        heard = (
            needed if factor == 1 else soxr.resample(needed, factor, 1.0, quality=QUALITY)[:samples]
        )
        row[: len(heard)] = heard
    return played


def reverberate(speech: Float32Array, rirs: Float32Array) -> Float32Array:
    """Speech (batch, samples) as it sounds in rooms of impulse responses (batch, m), one for each row.

    ``y = g * (x * h)`` with :func:`convolve`, so that the direct path stays where it was, and g
    such that y has the
    energy of x. It is the *target* of training, not only its input: what is asked for is less
        noise, not less room.
    """
    wet = convolve(speech, rirs)
    gains = np.linalg.norm(speech, axis=1) / np.maximum(
        np.linalg.norm(wet, axis=1), np.float32(1e-9)
    )
    return wet * gains[:, None]


def convolve(signals: FloatArray, rirs: FloatArray) -> FloatArray:
    """Convolution of the rows of (batch, samples) and (batch, m), by FFT, shape (batch, samples), in their precision.

    ``y(t) = sum over k of h(k) x(t + d - k)``, d being where the largest sample of h is: the direct
    path.
    """
    from scipy import fft

    samples = signals.shape[1]
    size = fft.next_fast_len(samples + rirs.shape[1] - 1, real=True)
    whole = fft.irfft(fft.rfft(signals, size) * fft.rfft(rirs, size), size)
    direct = np.abs(rirs).argmax(axis=1)
    return np.stack(
        [row[start : start + samples] for row, start in zip(whole, direct, strict=True)]
    )


def babble(voices: Float32Array) -> Float32Array:
    """Many talkers at once, (samples,), of unit level if each of ``voices`` (talkers, samples) is: their sum over
    ``sqrt(talkers)``, for levels of independent signals add up as powers do.
    """
    return voices.sum(axis=0) / np.float32(np.sqrt(len(voices)))
