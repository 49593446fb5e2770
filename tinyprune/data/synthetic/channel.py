"""What lies between a voice and its recording: a microphone's frequency response and a little of a room."""

import math

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.data.synthetic.common import SAMPLE_RATE

_ROOM_SHARE = 0.3


def channel(samples: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Random mild equalisation; for some clips also a slight, short reverberation.

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
    """A random high-pass (which also removes DC), spectral tilt and resonance: sections of shape (3, 6)."""
    from scipy import signal

    high_pass = signal.butter(2, rng.uniform(40, 130), "highpass", fs=SAMPLE_RATE, output="sos")
    tilt = _shelf(rng.uniform(800, 3000), rng.uniform(-6, 6))
    resonance = _bell(
        math.exp(rng.uniform(math.log(200), math.log(6000))),
        rng.uniform(-5, 5),
        rng.uniform(0.5, 1.5),
    )
    return np.vstack([high_pass, tilt, resonance])


def room(rng: np.random.Generator) -> np.ndarray:
    """A room's impulse response: the direct sound and exponentially decaying noise.

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
    """A second-order peaking filter (R. Bristow-Johnson's cookbook): one section of shape (1, 6)."""
    amplitude, angle = 10 ** (gain_db / 40), 2 * math.pi * centre_hz / SAMPLE_RATE
    alpha, middle = math.sin(angle) / (2 * q), -2 * math.cos(angle)
    numerator = [1 + alpha * amplitude, middle, 1 - alpha * amplitude]
    denominator = [1 + alpha / amplitude, middle, 1 - alpha / amplitude]
    return np.array([numerator + denominator]) / denominator[0]


def _shelf(corner_hz: float, gain_db: float) -> np.ndarray:
    """A first-order high shelf (gain 1 at 0 Hz, the given one at 8 kHz): one section of shape (1, 6)."""
    gain, corner = 10 ** (gain_db / 20), math.tan(math.pi * corner_hz / SAMPLE_RATE)
    numerator = [corner + gain, corner - gain, 0.0]
    denominator = [corner + 1, corner - 1, 0.0]
    return np.array([numerator + denominator]) / denominator[0]
