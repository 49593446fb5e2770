"""Delay and polarity between two recordings of one sound."""

from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import Float32Array, Float64Array

#: Samples that are compared at most, from the beginning: 10 s at 16 kHz.
LONGEST_COMPARED = 160_000
#: A lag counts if it explains the signal this much better than no lag does.
LEAST_IMPROVEMENT = 1.2
#: Correlation of a signal with a scaled copy is 1, with something else about 0.
LEAST_CORRELATION = 0.1


@dataclass(frozen=True)
class Alignment:
    """The place of a sound in a recording, against a reference.

    Attributes:
        lag: samples by which the recording is later; negative if it is earlier.
        is_inverted: True if its polarity is the opposite.
        correlation: of the two at that lag, 0 to 1; near 0 they have nothing in common.
    """

    lag: int
    is_inverted: bool
    correlation: float


def alignment(reference: Float32Array, recording: Float32Array, most: int) -> Alignment:
    """Return the lag, of at most ``most`` samples, and polarity of a recording.

    The lag has the largest ``|sum reference(t) recording(t + lag)|``. It is 0 where that is not
    clearly larger than without a lag (echoes), or where nothing correlates.

    Args:
        reference, recording: samples (n,), (m,), of one rate.
        most: largest lag in samples.
    """
    first = reference[:LONGEST_COMPARED].astype(np.float64)
    second = recording[:LONGEST_COMPARED].astype(np.float64)
    first -= first.mean()
    second -= second.mean()
    energy = float(np.sqrt(np.square(first).sum() * np.square(second).sum()))
    if not energy:
        return Alignment(0, False, 0.0)
    lags = np.arange(max(-most, 1 - len(first)), min(most, len(second) - 1) + 1)
    products = _products(first, second)[lags] / energy
    best = int(np.argmax(np.abs(products)))
    without_lag = int(np.searchsorted(lags, 0))
    is_better = abs(products[best]) > LEAST_IMPROVEMENT * abs(products[without_lag])
    if not is_better or abs(products[best]) < LEAST_CORRELATION:
        best = without_lag
    product = float(products[best])
    is_inverted = product < -LEAST_CORRELATION
    return Alignment(int(lags[best]), is_inverted, abs(product))


def _products(first: Float64Array, second: Float64Array) -> Float64Array:
    """Return ``sum first(t) second(t + lag)`` of lag 0, 1, ..., and at the end ..., -2, -1."""
    size = 1 << (len(first) + len(second) - 1).bit_length()
    spectrum = np.fft.rfft(second, size) * np.conj(np.fft.rfft(first, size))
    return np.fft.irfft(spectrum, size)
