"""Intelligibility of speech, between 0 and 1, by ``pystoi``. Signals are (n,), 16 kHz."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.metrics.speech import SAMPLE_RATE

#: 30 frames of 25.6 ms, half overlapping, and one sample: what is shorter has no segment to
#: correlate.
SHORTEST_SECONDS = 0.0256 + 29 * 0.0128


def stoi(clean: Float32Array, estimate: Float32Array) -> float:
    """Short-time objective intelligibility of signals (n,).

    The correlation of third-octave envelopes over 384 ms, clean against estimate. Taal et al. 2011,
    "An Algorithm for Intelligibility Prediction of Time-Frequency Weighted Noisy Speech". NaN where
    less than 0.4 s is left without the pauses (frames 40 dB below the loudest).
    """
    return _stoi(clean, estimate, extended=False)


def estoi(clean: Float32Array, estimate: Float32Array) -> float:
    """Extended STOI of signals (n,), for noise that comes and goes.

    The envelopes of all bands at once, normalised over time and bands. Jensen and Taal 2016, "An
    Algorithm for Predicting the Intelligibility of Speech Masked by Modulated Noise Maskers". NaN
    where :func:`stoi` is.
    """
    return _stoi(clean, estimate, extended=True)


def _stoi(clean: Float32Array, estimate: Float32Array, extended: bool) -> float:
    import pystoi

    if len(clean) <= SHORTEST_SECONDS * SAMPLE_RATE:
        return float("nan")
    with warnings.catch_warnings(), _reproducible():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", "Not enough STFT frames", RuntimeWarning)
        try:
            return float(
                pystoi.stoi(
                    clean.astype(np.float64), estimate.astype(np.float64), SAMPLE_RATE, extended
                )
            )
        except RuntimeWarning:  # it would give 1e-5
            return float("nan")


@contextmanager
def _reproducible() -> Iterator[None]:
    """Make the same what pystoi adds to digital silence; nobody else's random numbers change."""
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002
