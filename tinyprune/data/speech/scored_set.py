"""A fixed set of utterances on which networks are scored again and again."""

from collections.abc import Callable, Iterator

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio import stft
from tinyprune.audio.frontend import FrontEnd
from tinyprune.data.speech.mixing import NoisyUtterance

BATCH = 16
#: Masks (batch, frames, bands) of features of that shape.
MaskFunction = Callable[[Float32Array], Float32Array]


class ScoredSet:
    """Utterances and how they are enhanced.

    Batches hold utterances of about one length, so that little is computed on padding. Spectra are
    made anew each time: that takes a fraction of the time of a network, and memory holds one batch
    of them.

    Attributes:
        mixtures: in order. frontend: how they are analysed.
    """

    def __init__(self, mixtures: list[NoisyUtterance], frontend: FrontEnd) -> None:
        self.mixtures = mixtures
        self.frontend = frontend

    def enhance(self, masks: MaskFunction) -> list[Float32Array]:
        """Return the enhanced signals, each of the length of its mixture."""
        enhanced = dict(self.enhance_each(masks))
        return [enhanced[number] for number in range(len(self.mixtures))]

    def enhance_each(self, masks: MaskFunction) -> Iterator[tuple[int, Float32Array]]:
        """Yield the number of each mixture and its enhanced signal, batch after batch."""
        for batch in self._batches():
            yield from self._enhanced(batch, masks)

    def _batches(self) -> Iterator[list[int]]:
        """Yield the numbers of all mixtures, the longest first."""
        order = sorted(
            range(len(self.mixtures)), key=lambda number: -len(self.mixtures[number].noisy)
        )
        for start in range(0, len(order), BATCH):
            yield order[start : start + BATCH]

    def _enhanced(
        self, batch: list[int], masks: MaskFunction
    ) -> Iterator[tuple[int, Float32Array]]:
        """Yield the mixtures of these numbers, masked as one padded batch, at their own lengths."""
        signals = [self.mixtures[number].noisy for number in batch]
        longest = max(map(len, signals))
        padded = np.stack([np.pad(signal, (0, longest - len(signal))) for signal in signals])

        spectrum = stft.analyse(padded)
        bands = masks(self.frontend.features(spectrum))
        masked = spectrum * (bands @ self.frontend.spread())
        enhanced = stft.synthesise(masked, spectrum.shape[1] * self.frontend.hop)
        for number, noisy, signal in zip(batch, signals, enhanced, strict=True):
            yield number, signal[: len(noisy)]
