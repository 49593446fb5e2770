"""Samples at another rate while they come: each is made as soon as its short filter is complete.

A signal that somebody listens to cannot wait for a long filter. Files take soxr's.
"""

from math import gcd

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tinyprune.array_types import Float32Array, Float64Array

#: Seconds before and after a sample that its value at another rate is made of; more where a rate
#: is below that of telephones, or little would be left of it.
HALF_SECONDS = 0.0037
TELEPHONE_RATE = 8000
#: What is above half of the lower rate is attenuated by this.
REJECTION_DB = 75.0
#: Filters that are tabulated between two samples of the lower rate; where there are more, two
#: are interpolated.
MOST_PHASES = 1024
_PIECE = 256


class LowLatencyResampler:
    """Blocks of samples (n, channels) at another rate, aligned in time, by a filter of 7.4 ms.

    The filter is a sinc in a Kaiser window (Kaiser 1974), symmetric, so every frequency has the
    same delay. Its stopband begins at half of the lower rate. With ``d`` the distance to an input
    sample in input samples, ``H`` half the filter's length and ``c`` the cutoff per input sample::

        h(d) = sinc(2 c d) I0(beta sqrt(1 - (d / H)^2))

    divided by the sum over the input samples, so that a constant stays exactly what it is. What
    comes out does not depend on the sizes of the blocks.

    Attributes:
        delay_seconds: from the moment that a sample goes in to the moment that its place in time
            comes out, up to one sample.
        passband_hz: below it, samples keep their amplitude.
    """

    def __init__(self, source: int, target: int, channels: int) -> None:
        """Start a signal. ``source`` and ``target`` are in Hz."""
        lower = min(source, target)
        self._half = int(HALF_SECONDS * source * max(1, TELEPHONE_RATE / lower))
        common = gcd(source, target)
        # Output sample n lies at n * advance / phases input samples.
        self._advance = source // common
        self._phases = target // common
        self.delay_seconds = self._half / source
        transition_hz = _transition_hz(2 * self.delay_seconds)
        nyquist_hz = lower / 2
        self.passband_hz = nyquist_hz - transition_hz
        cutoff = (nyquist_hz - transition_hz / 2) / source
        most_phases = -(-MOST_PHASES * lower // source)
        self._table = _filters(self._half, cutoff, min(self._phases, most_phases))
        # The last input samples; the first of them is number ``_first`` of the signal.
        self._recent = np.zeros((self._half - 1, channels), np.float32)
        self._first = 1 - self._half
        self._made = 0

    def __call__(self, samples: Float32Array, last: bool = False) -> Float32Array:
        """Return what the next samples (n, channels) complete, (m, channels).

        With ``last``, silence follows, and as much comes out as the signal is long.
        """
        if last:
            samples = np.pad(samples, ((0, self._half), (0, 0)))
        self._recent = np.concatenate([self._recent, samples])
        received = self._first + len(self._recent)
        complete = max(0, -(-(received - self._half) * self._phases // self._advance))
        pieces = [np.zeros((0, samples.shape[1]), np.float32)]
        for start in range(self._made, complete, _PIECE):
            pieces.append(self._make(np.arange(start, min(start + _PIECE, complete))))
        self._made = max(self._made, complete)
        self._forget()
        return np.concatenate(pieces)

    def _make(self, numbers: np.ndarray) -> Float32Array:
        """Return the output samples of these numbers."""
        places = numbers * self._advance
        starts = places // self._phases - self._half + 1 - self._first
        windows = sliding_window_view(self._recent, 2 * self._half, axis=0)[starts]
        weighted = windows * self._weights(places % self._phases)[:, None]
        return weighted.sum(axis=2).astype(np.float32)

    def _weights(self, phases: np.ndarray) -> Float64Array:
        """Return the filters (n, taps) of places between two input samples."""
        tabulated = len(self._table) - 1
        places = phases * tabulated
        rows = places // self._phases
        fractions = (places % self._phases / self._phases)[:, None]
        return self._table[rows] + fractions * (self._table[rows + 1] - self._table[rows])

    def _forget(self) -> None:
        """Drop the input samples that no later output sample is made of."""
        needed = self._made * self._advance // self._phases - self._half + 1
        passed = min(max(0, needed - self._first), len(self._recent))
        self._recent = self._recent[passed:]
        self._first += passed


def _transition_hz(length_seconds: float) -> float:
    """Return the width of the transition of a Kaiser filter of this length (Kaiser 1974)."""
    return (REJECTION_DB - 7.95) / (14.36 * length_seconds)


def _filters(half: int, cutoff: float, phases: int) -> Float64Array:
    """Return the filters of places ``0, 1 / phases, ... 1`` after an input sample, (n, taps).

    ``cutoff`` is in cycles per input sample.
    """
    beta = 0.1102 * (REJECTION_DB - 8.7)
    places = np.arange(phases + 1)[:, None] / phases
    distances = np.arange(1 - half, half + 1) - places
    inside = np.maximum(1 - (distances / half) ** 2, 0)
    window = np.i0(beta * np.sqrt(inside)) * (np.abs(distances) <= half)
    filters = np.sinc(2 * cutoff * distances) * window
    return np.asarray(filters / filters.sum(axis=1, keepdims=True))
