"""The high-pass of front ends, over a whole signal at once."""

import numpy as np
import scipy.signal


def without_dc(signal, rate=16_000):
    """Return y[n] = x[n] - x[n-1] + a y[n-1] of (n,) or (n, channels), with a corner of 2 Hz."""
    pole = 1 - 2 * np.pi * 2 / rate
    return scipy.signal.lfilter([1, -1], [1, -pole], signal, axis=0).astype(np.float32)
