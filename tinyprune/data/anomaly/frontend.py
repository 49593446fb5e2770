"""The front end of machine sounds: windows of a few frames of log-mel power.

As the anomaly detection of MLPerf Tiny has it (Banbury et al. 2021, arXiv 2106.07597): frames of 64
ms every 32 ms, 128 mel bands, five frames in a window.
"""

import functools
from dataclasses import dataclass, replace

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.mel import slaney_bands
from tinyprune.audio.stft import hann

SMALLEST = 1e-10  # power, of a full scale of 1, below which the logarithm is cut off
_CHUNK = 4096  # frames that are transformed at once


@dataclass(frozen=True)
class LogMelFrontEnd:
    """Framing, mel bands, windows and normalisation.

    Attributes:
        sample_rate: Hz.
        fft, hop: samples of a Hann frame, and between the beginnings of two frames.
        bands: mel bands (librosa's, Slaney-normalised shape, 0 Hz to half the sampling rate).
        frames: of one window; windows begin at every frame.
        mean, std: per band, of the level in dB; empty before they are measured.
    """

    sample_rate: int = 16_000
    fft: int = 1024
    hop: int = 512
    bands: int = 128
    frames: int = 5
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @property
    def shape(self) -> tuple[int]:
        """Shape of the input of the network: one row, frame after frame."""
        return (self.frames * self.bands,)

    def mel(self) -> Float32Array:
        """Return the mel filterbank, shape (fft // 2 + 1, bands)."""
        return _mel(self.sample_rate, self.fft, self.bands)

    def levels(self, samples: Float32Array) -> Float32Array:
        """Return levels in dB, (frames, bands), of samples (n,).

        ``10 log10(max(|rfft(w x)|^2 M, 1e-10))``: w the Hann window, M the mel triangles. There are
        ``1 + (n - fft) // hop`` frames.
        """
        windows = np.lib.stride_tricks.sliding_window_view(samples, self.fft)[:: self.hop]
        mel = self.mel()
        parts = []
        for start in range(0, len(windows), _CHUNK):
            spectrum = np.fft.rfft(windows[start : start + _CHUNK] * hann(self.fft))
            parts.append(10 * np.log10(np.maximum(np.abs(spectrum) ** 2 @ mel, SMALLEST)))
        return np.concatenate(parts).astype(np.float32)

    def features(self, raw: np.ndarray) -> Float32Array:
        """Return features (n, frames * bands) of windows of levels (n, frames, bands)."""
        normalised = (raw - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        return normalised.reshape(len(raw), -1).astype(np.float32)

    def measured(self, levels: Float32Array) -> "LogMelFrontEnd":
        """Return this front end with the statistics of levels (n, bands).

        A band that hardly varies gets a tenth of the median deviation, so that it is not blown up.
        """
        std = levels.std(axis=0, dtype=np.float64)
        std = np.maximum(std, max(float(np.median(std)) * 0.1, 1e-6))
        mean = levels.mean(axis=0, dtype=np.float64)
        return replace(self, mean=tuple(mean.tolist()), std=tuple(std.tolist()))


@functools.cache
def _mel(sample_rate: int, fft: int, bands: int) -> Float32Array:
    return np.ascontiguousarray(slaney_bands(sample_rate, fft, bands).T)
