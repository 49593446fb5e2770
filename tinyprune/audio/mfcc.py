"""The MFCC front end of keyword spotting: a second of speech as 49 frames of 10 coefficients.

Framing and bands are those of the keyword spotting task of MLPerf Tiny (Banbury et al. 2021,
"MLPerf Tiny Benchmark"): 30 ms periodic Hann windows every 20 ms, magnitudes in 40 triangular mel
bands from 20 to 4000 Hz, logarithm, DCT-II.
"""

import functools
from dataclasses import dataclass, replace

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.mel import htk_bands
from tinyprune.audio.stft import hann

LOG_OFFSET = 1e-6
INT16_FULL_SCALE = 32768.0


@dataclass(frozen=True)
class MfccFrontEnd:
    """Framing, mel bands and normalisation of the MFCC of clips of a fixed length.

    Attributes:
        sample_rate: Hz.
        samples: samples of one clip.
        window, stride: samples of one frame, and between the beginnings of two frames.
        bands: mel bands (HTK's scale, triangles of height 1).
        low_hz, high_hz: where the lowest band begins and the highest ends.
        coefficients: of the DCT, from the 0th on.
        mean, std: per-coefficient statistics that normalise the features; empty before they are
            measured.
    """

    sample_rate: int = 16_000
    samples: int = 16_000
    window: int = 480
    stride: int = 320
    bands: int = 40
    low_hz: float = 20.0
    high_hz: float = 4000.0
    coefficients: int = 10
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @property
    def frames(self) -> int:
        """Frames of one clip."""
        return 1 + (self.samples - self.window) // self.stride

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the features of one clip: (frames, coefficients, 1)."""
        return self.frames, self.coefficients, 1

    @property
    def fft(self) -> int:
        """Length of the Fourier transform: the power of two that holds a window."""
        return 1 << (self.window - 1).bit_length()

    def mel(self) -> Float32Array:
        """Return the mel triangles, shape (bins, bands), up to the last bin that a band has."""
        return _mel(self.sample_rate, self.fft, self.bands, self.low_hz, self.high_hz)

    def dct(self) -> Float32Array:
        """Return the orthonormal DCT-II, shape (bands, coefficients)."""
        return _dct(self.bands, self.coefficients)

    def cepstra(self, clips: np.ndarray) -> Float32Array:
        """Return MFCC before normalisation, (n, frames, coefficients), of clips (n, samples).

        ``C = log(|rfft(w x)| M + 1e-6) D``: w the window, M the mel triangles (bins, bands), D the
        orthonormal DCT-II (bands, coefficients). Clips are int16, or float with a full scale of 1.
        """
        scale = 1 / INT16_FULL_SCALE if np.issubdtype(clips.dtype, np.integer) else 1.0
        windows = np.lib.stride_tricks.sliding_window_view(clips, self.window, axis=-1)
        frames = windows[:, :: self.stride]
        windowed = frames * (hann(self.window) * np.float32(scale))

        mel = self.mel()
        spectrum = _rfft(windowed.astype(np.float32, copy=False), self.fft)
        spectrum = spectrum[..., : len(mel)]
        magnitude = np.sqrt(spectrum.real**2 + spectrum.imag**2)
        return np.log(magnitude @ mel + np.float32(LOG_OFFSET)) @ self.dct()

    def features(self, clips: np.ndarray) -> Float32Array:
        """Return normalised features (n, frames, coefficients, 1) of clips (n, samples).

        Clips are int16, or float with a full scale of 1.
        """
        mean = np.asarray(self.mean, np.float32)
        std = np.asarray(self.std, np.float32)
        return ((self.cepstra(clips) - mean) / std)[..., None]

    def measured(self, cepstra: Float32Array) -> "MfccFrontEnd":
        """Return this front end with the statistics of ``cepstra`` (..., coefficients).

        A coefficient that hardly varies gets a tenth of the median deviation, so that it is not
        blown up.
        """
        flat = cepstra.reshape(-1, self.coefficients).astype(np.float64)
        std = flat.std(axis=0)
        std = np.maximum(std, max(float(np.median(std)) * 0.1, 1e-6))
        mean = flat.mean(axis=0)
        return replace(self, mean=tuple(map(float, mean)), std=tuple(map(float, std)))


@functools.cache
def _mel(sample_rate: int, fft: int, bands: int, low_hz: float, high_hz: float) -> Float32Array:
    """Return mel triangles (bins, bands).

    The bins above the highest band are left out: they cost half of the time.
    """
    triangles = htk_bands(sample_rate, fft, bands, low_hz, high_hz).T
    last_bin = int(np.flatnonzero(triangles.any(axis=1))[-1])
    return np.ascontiguousarray(triangles[: last_bin + 1], np.float32)


@functools.cache
def _dct(bands: int, coefficients: int) -> Float32Array:
    """Return the orthonormal DCT-II as a matrix (bands, coefficients)."""
    band, coefficient = np.arange(bands), np.arange(coefficients)
    waves = np.cos(np.pi / bands * np.outer(band + 0.5, coefficient))
    waves *= np.sqrt(2 / bands)
    waves[:, 0] = np.sqrt(1 / bands)
    return np.ascontiguousarray(waves, np.float32)


def _rfft(frames: Float32Array, length: int) -> np.ndarray:
    """Return the spectra (..., length // 2 + 1) of float32 frames, zeros behind them.

    SciPy takes half as long as NumPy; where it is not installed, a last bit may differ.
    """
    try:
        from scipy.fft import rfft
    except ImportError:
        return np.fft.rfft(frames, length).astype(np.complex64, copy=False)
    spectra: np.ndarray = rfft(frames, length)
    return spectra
