"""A fixed set of mixtures on which networks are scored again and again."""

from collections.abc import Callable, Iterator

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio import stft
from tinyprune.audio.frontend import FrontEnd
from tinyprune.data.speech.mixing import Mixture

BATCH = 16


class ScoredSet:
    """Mixtures and how they are enhanced: in batches of about one length, so that little is computed on padding.

    Spectra are made anew each time: that takes a fraction of what a network takes, and memory holds
        one batch of them.

    Attributes:
        mixtures: in order. frontend: how they are analysed.
    """

    def __init__(self, mixtures: list[Mixture], frontend: FrontEnd) -> None:
        self.mixtures, self.frontend = mixtures, frontend

    def enhance(self, masks: Callable[[Float32Array], Float32Array]) -> list[Float32Array]:
        """Enhanced signals of the mixtures' lengths, by a function (batch, frames, bands) -> masks of this shape."""
        enhanced = dict(self.enhance_each(masks))
        return [enhanced[number] for number in range(len(self.mixtures))]

    def enhance_each(
        self, masks: Callable[[Float32Array], Float32Array]
    ) -> Iterator[tuple[int, Float32Array]]:
        """The same one by one, with the number of the mixture: batch after batch, as they are needed."""
        for batch in self._batches():
            yield from self._enhanced(batch, masks)

    def _batches(self) -> Iterator[list[int]]:
        """The numbers of all mixtures, the longest first."""
        order = sorted(
            range(len(self.mixtures)), key=lambda number: -len(self.mixtures[number].noisy)
        )
        for start in range(0, len(order), BATCH):
            yield order[start : start + BATCH]

    def _enhanced(
        self, batch: list[int], masks: Callable[[Float32Array], Float32Array]
    ) -> Iterator[tuple[int, Float32Array]]:
        """The mixtures of these numbers, padded to the longest of them, masked, and cut to their lengths again."""
        signals = [self.mixtures[number].noisy for number in batch]
        samples = max(map(len, signals))
        spectrum = stft.analyse(
            np.stack([np.pad(signal, (0, samples - len(signal))) for signal in signals])
        )
        masked = spectrum * (masks(self.frontend.features(spectrum)) @ self.frontend.spread())
        for number, signal in zip(
            batch, stft.synthesise(masked, spectrum.shape[1] * self.frontend.hop), strict=True
        ):
            yield number, signal[: len(self.mixtures[number].noisy)]
