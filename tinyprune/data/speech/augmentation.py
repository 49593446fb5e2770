"""Speech at another speed, in a room, through a microphone, or as babble.

All are pure functions on batches of signals.
"""

from functools import cache

import numpy as np

from tinyprune.array_types import Float32Array, Float64Array, FloatArray
from tinyprune.audio.files import SAMPLE_RATE

QUALITY = "MQ"  # of soxr: keeps what is below 7.5 kHz; LQ ends at 6.5 kHz
AT_OTHER_SPEEDS = 0.5  # of the excerpts of a training where speeds vary
#: Centres of the octaves of a microphone's colour, in Hz.
OCTAVES_HZ = (62.5, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)
#: Where a spectral tilt changes nothing, and where it begins and ends, in Hz.
TILT_CENTRE_HZ = 1000.0
TILT_RANGE_HZ = (100.0, 8000.0)
#: Width of the edges of a band, in octaves: gentle enough that they do not ring.
EDGE_OCTAVES = 1 / 3
#: No voice is lower than this.
RUMBLE_HZ = 80.0


def excerpt_length(samples: int, fastest: float) -> int:
    """Return the samples that :func:`change_speed` needs to make ``samples`` at any factor."""
    return int(np.ceil(samples * fastest))


def draw_speeds(speed: tuple[float, float], count: int, rng: np.random.Generator) -> np.ndarray:
    """Return the factors (count,) at which excerpts are played: half at 1, half evenly drawn.

    What is resampled lacks the highest frequencies. A network that hears nothing else does not know
    what recordings have there.
    """
    factors = rng.uniform(*speed, size=count)
    factors[rng.random(count) >= AT_OTHER_SPEEDS] = 1.0
    return factors


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


def tilt_db(frequencies: Float64Array, db_per_octave: Float64Array) -> FloatArray:
    """Return the gains in dB of spectral tilts, (batch, bins), of frequencies (bins,) in Hz.

    ``slope * log2(f / 1000)``, f between 100 and 8000 Hz. Speech gets flatter with vocal effort:
    about +3 dB per octave from usual to shouted. Traunmueller and Eriksson 2000, "Acoustic effects
    of variation in vocal effort by men, women, and children".
    """
    octaves = np.log2(np.clip(frequencies, *TILT_RANGE_HZ) / TILT_CENTRE_HZ)
    return np.outer(db_per_octave, octaves)


def colour_db(frequencies: Float64Array, octaves_db: Float64Array) -> FloatArray:
    """Return the gains in dB of microphones, (batch, bins), of frequencies (bins,) in Hz.

    ``octaves_db`` (batch, 8) are those at ``OCTAVES_HZ``; between them they are linear in the
    octave.
    """
    places = np.log2(np.clip(frequencies, OCTAVES_HZ[0], OCTAVES_HZ[-1]) / OCTAVES_HZ[0])
    left = np.minimum(places.astype(int), len(OCTAVES_HZ) - 2)
    share = places - left
    return octaves_db[:, left] * (1 - share) + octaves_db[:, left + 1] * share


def band_gains(
    frequencies: Float64Array, lowest_hz: Float64Array, highest_hz: Float64Array
) -> FloatArray:
    """Return gains (batch, bins) that keep a band of frequencies (bins,).

    They are 1 inside, fall as half a cosine over a third of an octave beyond each end, and are 0
    outside. ``lowest_hz`` 0 and ``highest_hz`` 8000 limit nothing.
    """
    octaves = np.log2(np.maximum(frequencies, 1.0))
    lower = np.log2(np.maximum(lowest_hz, 1.0))[:, None]
    upper = np.log2(highest_hz)[:, None]
    beyond = np.maximum(lower - octaves, octaves - upper) / EDGE_OCTAVES
    return 0.5 + 0.5 * np.cos(np.pi * np.clip(beyond, 0, 1))


@cache
def bin_frequencies(samples: int) -> Float64Array:
    """Return the frequencies in Hz of the bins in which :func:`filtered` takes gains."""
    return np.asarray(np.fft.rfftfreq(_padded(samples), 1 / SAMPLE_RATE), np.float64)


def _padded(samples: int) -> int:
    """Return the length of the transform of a signal, with zeros behind it for what rings."""
    from scipy import fft

    return int(fft.next_fast_len(samples + SAMPLE_RATE // 20, real=True))


def filtered(signals: Float32Array, gains: FloatArray) -> Float32Array:
    """Return signals (batch, samples) whose bins are multiplied by gains (batch, bins).

    The bins are those of :func:`bin_frequencies`. Gains are real, so that nothing is delayed.
    """
    from scipy import fft

    samples = signals.shape[1]
    spectrum = fft.rfft(signals, _padded(samples)) * gains.astype(np.float32)
    return fft.irfft(spectrum, _padded(samples))[:, :samples]


def without_rumble(signals: Float32Array) -> Float32Array:
    """Return speech (batch, samples) without what lies below ``RUMBLE_HZ``, not delayed.

    ``1 / (1 + (RUMBLE_HZ / f)^8)``, a Butterworth high-pass of order 4, forwards and backwards. No
    voice is that low, but recordings of clean speech hum and rumble there, up to 13 dB below the
    speech. A denoiser that takes that away would seem to harm the speech.
    """
    frequencies = bin_frequencies(signals.shape[1])
    ratio = RUMBLE_HZ / np.maximum(frequencies, 1e-3)
    return filtered(signals, 1 / (1 + ratio**8))


def band_limited(signals: Float32Array, lowest_hz: float, highest_hz: float) -> Float32Array:
    """Return signals (batch, samples) without what lies outside of a band: telephones, 300-3400."""
    frequencies = bin_frequencies(signals.shape[1])
    gains = band_gains(frequencies, np.array([lowest_hz]), np.array([highest_hz]))
    return filtered(signals, gains)


def clipped(signals: Float32Array, over_db: FloatArray) -> Float32Array:
    """Return signals (batch, samples) cut off ``over_db`` (batch,) below the peak of each.

    ``y = clip(x, -c, c)`` with ``c = max |x| * 10^(-over / 20)``; 0 dB changes nothing.
    """
    peaks = np.abs(signals).max(axis=1)
    ceilings = (peaks * 10 ** (-np.asarray(over_db) / 20)).astype(np.float32)[:, None]
    return np.clip(signals, -ceilings, ceilings)


def at_level(signals: Float32Array, rms: FloatArray) -> Float32Array:
    """Return signals (batch, samples) at root mean squares (batch,); silence stays silent."""
    found = np.sqrt(np.mean(np.square(signals), axis=1))
    gains = np.asarray(rms) / np.maximum(found, 1e-9)
    return signals * gains[:, None].astype(np.float32)
