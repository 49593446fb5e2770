"""PESQ, an estimate of what people say of the sound, by the package ``pesq`` (an extra).

Signals are (n,), 16 kHz.
"""

import numpy as np

from tinyprune import extras
from tinyprune.array_types import Float32Array
from tinyprune.metrics.speech import SAMPLE_RATE

#: The reference code has room for 50 utterances of at least 0.4 s each with its pause; more overrun
#: its memory.
LONGEST_SECONDS = 20.0


def pesq_wb(clean: Float32Array, estimate: Float32Array) -> float:
    """Wide-band PESQ, an estimate of the mean opinion score (MOS-LQO) from 1.04 to 4.64.

    ITU-T P.862.2 (2007), by the ITU's reference code. NaN where that code finds no speech, for less
    than a quarter of a second, and for more than 20 s, which it cannot take. Raises UsageError
    where ``pesq`` is not installed.
    """
    return _pesq(clean, estimate, "wb")


def pesq_nb(clean: Float32Array, estimate: Float32Array) -> float:
    """Narrow-band PESQ, an estimate of the mean opinion score (MOS-LQO) up to 4.55.

    For telephone speech up to 3.4 kHz. ITU-T P.862 (2001) with the mapping of P.862.1 (2003);
    otherwise as :func:`pesq_wb`.
    """
    return _pesq(clean, estimate, "nb")


def _pesq(clean: Float32Array, estimate: Float32Array, mode: str) -> float:
    extras.require("pesq", "PESQ")
    import pesq

    if len(clean) > LONGEST_SECONDS * SAMPLE_RATE:
        return float("nan")
    try:
        return float(pesq.pesq(SAMPLE_RATE, np.asarray(clean), np.asarray(estimate), mode))
    except (pesq.NoUtterancesError, pesq.BufferTooShortError):
        return float("nan")
