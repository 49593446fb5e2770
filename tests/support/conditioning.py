"""The high-pass of front ends, over a whole signal at once."""

import numpy as np
import scipy.signal


def without_dc(signal, rate=16_000, hop=256):
    """Return y[n] = x[n] - x[n-1] + a y[n-1] of (n,) or (n, channels), with a corner of 2 Hz.

    x[-1] is the mean of the first hop.
    """
    pole = 1 - 2 * np.pi * 2 / rate
    before = -signal[:hop].astype(np.float64).mean(axis=0, keepdims=True)
    out, _ = scipy.signal.lfilter([1, -1], [1, -pole], signal, axis=0, zi=before)
    return out.astype(np.float32)
