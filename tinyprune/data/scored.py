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
        parts = [masks(self._features[start : start + BATCH]) for start in range(0, len(self._features), BATCH)]
        masked = self._spectrum * (np.concatenate(parts) @ self.frontend.spread())
        signals = stft.synthesise(masked, self._features.shape[1] * self.frontend.hop)
        return [signal[: len(mixture.noisy)] for signal, mixture in zip(signals, self.mixtures, strict=True)]

    def enhance_each(self, mask: Callable[[Array], Array]) -> list[Array]:
        """The same, utterance by utterance, by a function (frames, bands) -> mask; padding is left out."""

        def each(features: Array, mixture: Mixture) -> Array:
            frames = 1 + -(-len(mixture.noisy) // self.frontend.hop)
            return np.pad(mask(features[:frames]), ((0, len(features) - frames), (0, 0)))

        numbered = iter(self.mixtures)
        return self.enhance(lambda batch: np.stack([each(features, next(numbered)) for features in batch]))
