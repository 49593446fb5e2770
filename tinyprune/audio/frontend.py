"""The front end of a speech network: what turns samples into its input features, and its mask into samples again.

Features are ``(mel @ |STFT|) ** power``, normalised per band with statistics of the training
mixtures (power-law mel features as in Fedorov et al. 2020, "TinyLSTMs"). The record is saved beside
the model, so that whoever runs the model feeds it what it was trained on.
"""

import functools
from dataclasses import dataclass, replace

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.stft import Spectrum


@dataclass(frozen=True)
class FrontEnd:
    """Framing, mel bands and normalisation.

    Attributes:
        sample_rate: Hz.
        frame: samples per Hann frame; the hop is half of it.
        bands: mel bands (librosa's, Slaney-normalised shape, 0 Hz to half the sampling rate).
        power: exponent of the power law.
        mean, std: per-band statistics that normalise the features; empty before they are measured.
    """

    sample_rate: int = 16_000
    frame: int = 512
    bands: int = 128
    power: float = 0.3
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @property
    def hop(self) -> int:
        """Samples between two frames."""
        return self.frame // 2

    @property
    def hop_seconds(self) -> float:
        """Seconds between two frames."""
        return self.hop / self.sample_rate

    def mel(self) -> Float32Array:
        """Mel filterbank, shape (frame // 2 + 1, bands)."""
        return _mel(self.sample_rate, self.frame, self.bands)

    def spread(self) -> Float32Array:
        """Matrix (bands, frame // 2 + 1) that spreads a mel mask over the bins; its columns sum to 1."""
        return _spread(self.sample_rate, self.frame, self.bands)

    def compress(self, spectrum: Spectrum) -> Float32Array:
        """Power-law mel features before normalisation, (..., frames, bands), of spectra (..., frames, bins)."""
        return (np.abs(spectrum) @ self.mel()) ** np.float32(self.power)

    def features(self, spectrum: Spectrum) -> Float32Array:
        """Normalised features, (..., frames, bands), of spectra (..., frames, bins)."""
        mean, std = (np.asarray(values, np.float32) for values in (self.mean, self.std))
        return (self.compress(spectrum) - mean) / std

    def measured(self, features: Float32Array) -> "FrontEnd":
        """This front end with the statistics of features (..., bands) that are not normalised yet.

        A band that hardly varies gets the median deviation of all bands, so that it is not blown
        up.
        """
        flat = features.reshape(-1, self.bands)
        std = flat.std(axis=0)
        std = np.maximum(std, np.median(std) * 0.1)
        return replace(self, mean=tuple(map(float, flat.mean(axis=0))), std=tuple(map(float, std)))


@functools.cache
def _mel(sample_rate: int, frame: int, bands: int) -> Float32Array:
    import librosa

    return np.ascontiguousarray(
        librosa.filters.mel(sr=sample_rate, n_fft=frame, n_mels=bands).T.astype(np.float32)
    )


@functools.cache
def _spread(sample_rate: int, frame: int, bands: int) -> Float32Array:
    """Transposed filterbank with columns that sum to 1; a bin outside every band takes the nearest band's value."""
    weights = _mel(sample_rate, frame, bands).T.copy()
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    covered = np.flatnonzero(weights.sum(axis=0))
    for bin_ in np.flatnonzero(weights.sum(axis=0) == 0):
        weights[:, bin_] = weights[:, covered[np.abs(covered - bin_).argmin()]]
    return np.ascontiguousarray(weights / weights.sum(axis=0))
