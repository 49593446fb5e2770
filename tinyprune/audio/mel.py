"""Mel filterbanks: triangles that are as wide as the ear's bands, on the bins of a spectrum.

They are librosa's, to the last bit: ``librosa.filters.mel`` on Slaney's scale with triangles of
equal area, or on HTK's with triangles of height 1.
"""

import numpy as np

from tinyprune.array_types import Float32Array, Float64Array

#: Slaney 1998, "Auditory Toolbox": linear up to 1 kHz, 27 steps per factor of 6.4 above it.
_HZ_PER_MEL = 200 / 3
_LOG_FROM_HZ = 1000.0
_LOG_FROM_MEL = _LOG_FROM_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27
#: HTK, and O'Shaughnessy 1987, "Speech Communication": mel = 2595 log10(1 + f / 700).
_HTK_MELS, _HTK_HZ = 2595.0, 700.0


def slaney_bands(sample_rate: int, fft: int, bands: int) -> Float32Array:
    """Return triangles of equal area from 0 Hz to half the sampling rate, shape (bands, bins)."""
    highest = _LOG_FROM_MEL + np.log(sample_rate / 2 / _LOG_FROM_HZ) / _LOG_STEP
    if sample_rate / 2 < _LOG_FROM_HZ:
        highest = sample_rate / 2 / _HZ_PER_MEL
    mels = np.linspace(0, highest, bands + 2)
    edges = _HZ_PER_MEL * mels
    is_high = mels >= _LOG_FROM_MEL
    edges[is_high] = _LOG_FROM_HZ * np.exp(_LOG_STEP * (mels[is_high] - _LOG_FROM_MEL))
    triangles = _triangles(edges, sample_rate, fft)
    heights = 2 / (edges[2:] - edges[:-2])
    return (triangles * heights[:, None]).astype(np.float32)


def htk_bands(
    sample_rate: int, fft: int, bands: int, low_hz: float, high_hz: float
) -> Float32Array:
    """Return triangles of height 1 between two frequencies, shape (bands, bins)."""
    lowest, highest = _HTK_MELS * np.log10(1 + np.array([low_hz, high_hz]) / _HTK_HZ)
    mels = np.linspace(lowest, highest, bands + 2)
    return _triangles(_HTK_HZ * (10 ** (mels / _HTK_MELS) - 1), sample_rate, fft)


def _triangles(edges: Float64Array, sample_rate: int, fft: int) -> Float32Array:
    """Return triangles of height 1, (bands, bins).

    Each begins, peaks and ends at three successive edges in Hz, (bands + 2,).
    """
    bins = np.fft.rfftfreq(fft, 1 / sample_rate)
    widths = np.diff(edges)[:, None]
    rising = (bins - edges[:-2, None]) / widths[:-1]
    falling = (edges[2:, None] - bins) / widths[1:]
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
