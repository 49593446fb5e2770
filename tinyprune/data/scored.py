"""A fixed set of mixtures, analysed once, on which networks are scored again and again."""

from collections.abc import Callable

import numpy as np

from tinyprune.audio import stft
from tinyprune.audio.frontend import FrontEnd
from tinyprune.audio.stft import Array
from tinyprune.data.speech import Mixture

BATCH = 16


class ScoredSet:
    """Mixtures with their spectra and features, padded to one length.

    Attributes:
        mixtures: in order. frontend: how they were analysed.
    """

    def __init__(self, mixtures: list[Mixture], frontend: FrontEnd) -> None:
        self.mixtures, self.frontend = mixtures, frontend
        samples = max(len(mixture.noisy) for mixture in mixtures)
        noisy = np.stack([np.pad(mixture.noisy, (0, samples - len(mixture.noisy))) for mixture in mixtures])
        self._spectrum = stft.analyse(noisy)
        self._features = frontend.features(self._spectrum)

    def enhance(self, masks: Callable[[Array], Array]) -> list[Array]:
        """Enhanced signals of the mixtures' lengths, by a function (batch, frames, bands) -> masks of this shape."""
        starts = range(0, len(self._features), BATCH)
        return self._masked(np.concatenate([masks(self._features[start : start + BATCH]) for start in starts]))

    def _masked(self, masks: Array) -> list[Array]:
        masked = self._spectrum * (masks @ self.frontend.spread())
        signals = stft.synthesise(masked, self._features.shape[1] * self.frontend.hop)
        return [signal[: len(mixture.noisy)] for signal, mixture in zip(signals, self.mixtures, strict=True)]
