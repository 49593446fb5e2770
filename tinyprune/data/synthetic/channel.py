"""The way from a voice to its recording: a microphone's frequency response, and a little room."""

import math

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.files import SAMPLE_RATE

_ROOM_SHARE = 0.3


def channel(samples: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Apply random mild equalisation, and to some clips a slight, short reverberation.

    Args:
        samples: float, shape (samples,), at 16 kHz.
        rng: the clip's random numbers.

    Returns:
        float32, shape (samples,): the same length, a room's tail is cut off.
    """
    from scipy import signal

    coloured = signal.sosfilt(equaliser(rng), samples)
    if rng.random() > _ROOM_SHARE:
        return coloured.astype(np.float32)
    return signal.oaconvolve(coloured, room(rng))[: len(coloured)].astype(np.float32)


def equaliser(rng: np.random.Generator) -> np.ndarray:
    """Return a random high-pass, which also removes DC, spectral tilt and resonance.

    They are second-order sections, of shape (3, 6).
    """
    from scipy import signal

    high_pass = signal.butter(2, rng.uniform(40, 130), "highpass", fs=SAMPLE_RATE, output="sos")
    tilt = _shelf(rng.uniform(800, 3000), rng.uniform(-6, 6))
    centre_hz = math.exp(rng.uniform(math.log(200), math.log(6000)))
    resonance = _bell(centre_hz, gain_db=rng.uniform(-5, 5), q=rng.uniform(0.5, 1.5))
    return np.vstack([high_pass, tilt, resonance])


def room(rng: np.random.Generator) -> np.ndarray:
    """Return a room's impulse response: the direct sound and exponentially decaying noise.

    The decay time (60 dB) is 0.1 to 0.35 s, the reverberation 6 to 18 dB below the direct sound.

    Returns:
        float64, shape (taps,).
    """
    decay = round(rng.uniform(0.1, 0.35) * SAMPLE_RATE)
    gap = round(rng.uniform(0.002, 0.012) * SAMPLE_RATE)
    tail = rng.standard_normal(decay) * 10 ** (-3 * np.arange(decay) / decay)
    tail *= 10 ** (-rng.uniform(6, 18) / 20) / np.sqrt(np.sum(tail**2))
    return np.concatenate([[1.0], np.zeros(gap), tail])


def _bell(centre_hz: float, gain_db: float, q: float) -> np.ndarray:
    """Return a second-order peaking filter: one section of shape (1, 6).

    It is that of R. Bristow-Johnson's "Cookbook formulae for audio equalizer biquad filter
    coefficients".
    """
    amplitude = 10 ** (gain_db / 40)
    angle = 2 * math.pi * centre_hz / SAMPLE_RATE
    alpha = math.sin(angle) / (2 * q)
    middle = -2 * math.cos(angle)
    numerator = [1 + alpha * amplitude, middle, 1 - alpha * amplitude]
    denominator = [1 + alpha / amplitude, middle, 1 - alpha / amplitude]
    return np.array([numerator + denominator]) / denominator[0]


def _shelf(corner_hz: float, gain_db: float) -> np.ndarray:
    """Return a first-order high shelf: one section of shape (1, 6).

    Its gain is 1 at 0 Hz, and ``gain_db`` at 8 kHz.
    """
    gain = 10 ** (gain_db / 20)
    corner = math.tan(math.pi * corner_hz / SAMPLE_RATE)
    numerator = [corner + gain, corner - gain, 0.0]
    denominator = [corner + 1, corner - 1, 0.0]
    return np.array([numerator + denominator]) / denominator[0]
