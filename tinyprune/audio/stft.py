"""Short-time Fourier transform of the project: periodic Hann frames at 50 % overlap, in NumPy.

A signal is padded by one hop on the left. So frame ``t`` covers samples ``[(t - 1) * hop, (t + 1) *
hop)``: nothing of the future beyond the frame itself is needed, and the algorithmic latency is one
frame (32 ms).
"""

import numpy as np
import numpy.typing as npt

from tinyprune.array_types import Float32Array

Spectrum = npt.NDArray[np.complex64]


def hann(frame: int) -> Float32Array:
    """Return the periodic Hann window, shape (frame,)."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)).astype(np.float32)


def synthesis_window(frame: int) -> Float32Array:
    """Return the dual of the Hann window at 50 % overlap, shape (frame,).

    It is ``w[n] / (w[n]^2 + w[n + frame/2]^2)``.
    """
    window = hann(frame)
    return window / (window**2 + np.roll(window, frame // 2) ** 2)


def pad(signal: Float32Array, hop: int) -> Float32Array:
    """Return signals (..., samples) with one hop of zeros on the left.

    On the right they are filled up to a full hop, and one more follows.
    """
    right = -signal.shape[-1] % hop + hop
    return np.pad(signal, [(0, 0)] * (signal.ndim - 1) + [(hop, right)])


def analyse(signal: Float32Array, frame: int = 512) -> Spectrum:
    """Return spectra (..., frames, frame // 2 + 1) of signals (..., samples).

    Every sample lies in two frames.
    """
    halves = pad(signal, frame // 2)
    halves = halves.reshape(*halves.shape[:-1], -1, frame // 2)
    frames = np.concatenate([halves[..., :-1, :], halves[..., 1:, :]], axis=-1) * hann(frame)
    return np.fft.rfft(frames).astype(np.complex64)


def synthesise(spectrum: Spectrum, samples: int) -> Float32Array:
    """Return signals (..., samples) of spectra (..., frames, bins).

    It is the inverse of :func:`analyse`, by overlap-add.
    """
    frame = 2 * (spectrum.shape[-1] - 1)
    frames = np.fft.irfft(spectrum, frame).astype(np.float32) * synthesis_window(frame)
    first, second = np.split(frames, 2, axis=-1)
    halves = second[..., :-1, :] + first[..., 1:, :]
    return halves.reshape(*halves.shape[:-2], -1)[..., :samples]
