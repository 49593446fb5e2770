"""The front end of a speech network: from samples to features, and from its mask to samples.

Features are ``(mel @ |STFT|) ** power``, normalised per band with statistics of the training
mixtures (power-law mel features as in Fedorov et al. 2020, "TinyLSTMs"). The record is saved beside
the model, so that whoever runs the model feeds it the features of its training.
"""

import functools
from dataclasses import dataclass, replace

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.mel import slaney_bands
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
        usual_dbfs: level of the loudest hop of a training mixture, the median
            (audio/conditioning.py); None where it was not measured.
        follows_level: whether features of training were amplified to that level, as those of a
            stream are.
        max_attenuation_db: the most that any band is attenuated; None: no limit.
    """

    sample_rate: int = 16_000
    frame: int = 512
    bands: int = 128
    power: float = 0.3
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    usual_dbfs: float | None = None
    follows_level: bool = False
    max_attenuation_db: float | None = None

    @property
    def smallest_gain(self) -> np.float32:
        """The smallest gain of a band: ``10^(-limit / 20)``, or 0."""
        return smallest_gain(self.max_attenuation_db)

    @property
    def hop(self) -> int:
        """Samples between two frames."""
        return self.frame // 2

    @property
    def hop_seconds(self) -> float:
        """Seconds between two frames."""
        return self.hop / self.sample_rate

    def mel(self) -> Float32Array:
        """Return the mel filterbank, shape (frame // 2 + 1, bands)."""
        return _mel(self.sample_rate, self.frame, self.bands)

    def spread(self) -> Float32Array:
        """Return the matrix (bands, frame // 2 + 1) that spreads a mel mask over the bins.

        Its columns sum to 1.
        """
        return _spread(self.sample_rate, self.frame, self.bands)

    def compress(self, spectrum: Spectrum, gains: Float32Array | None = None) -> Float32Array:
        """Return power-law mel features before normalisation, (..., frames, bands).

        ``spectrum`` is of shape (..., frames, bins). ``gains``, (..., frames), amplify its
        magnitudes: those of :func:`tinyprune.audio.conditioning.frame_gains`.
        """
        magnitude = np.abs(spectrum) @ self.mel()
        if gains is not None:
            magnitude = magnitude * gains[..., None]
        return magnitude ** np.float32(self.power)

    def features(self, spectrum: Spectrum, gains: Float32Array | None = None) -> Float32Array:
        """Return normalised features, (..., frames, bands), of spectra (..., frames, bins).

        ``gains`` are as in :meth:`compress`.
        """
        mean = np.asarray(self.mean, np.float32)
        std = np.asarray(self.std, np.float32)
        return (self.compress(spectrum, gains) - mean) / std

    def measured(self, features: Float32Array) -> "FrontEnd":
        """Return this front end with the statistics of features (..., bands) before normalisation.

        A band that hardly varies gets a tenth of the median deviation of all bands, so that it is
        not blown up.
        """
        flat = features.reshape(-1, self.bands)
        std = flat.std(axis=0)
        std = np.maximum(std, np.median(std) * 0.1)
        mean = flat.mean(axis=0)
        return replace(self, mean=tuple(map(float, mean)), std=tuple(map(float, std)))


def smallest_gain(max_attenuation_db: float | None) -> np.float32:
    """Return the gain of a band that is attenuated as much as may be; 0 without a limit."""
    if max_attenuation_db is None:
        return np.float32(0)
    return np.float32(10 ** (-max_attenuation_db / 20))


@functools.cache
def _mel(sample_rate: int, frame: int, bands: int) -> Float32Array:
    return np.ascontiguousarray(slaney_bands(sample_rate, frame, bands).T)


@functools.cache
def _spread(sample_rate: int, frame: int, bands: int) -> Float32Array:
    """Return the transposed filterbank with columns that sum to 1.

    A bin outside every band takes the value of the nearest band.
    """
    weights = _mel(sample_rate, frame, bands).T.copy()
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    covered = np.flatnonzero(weights.sum(axis=0))
    for uncovered in np.flatnonzero(weights.sum(axis=0) == 0):
        nearest = covered[np.abs(covered - uncovered).argmin()]
        weights[:, uncovered] = weights[:, nearest]
    return np.ascontiguousarray(weights / weights.sum(axis=0))
