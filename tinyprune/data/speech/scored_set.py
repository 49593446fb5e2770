"""A fixed set of utterances on which networks are scored again and again."""

from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.device import DeviceFrontEnd, frontend_of
from tinyprune.audio.frontend import FrontEnd
from tinyprune.audio.streaming import Conditioned, StreamingFrontEnd
from tinyprune.data.speech.mixing import NoisyUtterance

BATCH = 16
#: Masks (batch, frames, bands) of features of that shape.
MaskFunction = Callable[[Float32Array], Float32Array]


class ScoredSet:
    """Utterances and how they are enhanced: as a stream is, with the same numbers.

    Batches hold utterances of about one length, so that little is computed on padding. Signals are
    conditioned once. Spectra are made anew each time: that takes a fraction of the time of a
    network, and memory holds one batch of them.

    Attributes:
        mixtures: in order. frontend: that the network was trained with.
    """

    def __init__(self, mixtures: list[NoisyUtterance], record: FrontEnd | DeviceFrontEnd) -> None:
        """``record``: of the front end, of training or of a device."""
        self.mixtures = mixtures
        self.frontend = frontend_of(record)
        self._front_end = StreamingFrontEnd(record)

    def enhance(self, masks: MaskFunction) -> list[Float32Array]:
        """Return the enhanced signals, each of the length of its mixture."""
        enhanced = dict(self.enhance_each(masks))
        return [enhanced[number] for number in range(len(self.mixtures))]

    def enhance_each(self, masks: MaskFunction) -> Iterator[tuple[int, Float32Array]]:
        """Yield the number of each mixture and its enhanced signal, batch after batch."""
        for batch in self._batches():
            yield from self._enhanced(batch, masks)

    @cached_property
    def _conditioned(self) -> list[Conditioned]:
        return [self._front_end.condition(mixture.noisy) for mixture in self.mixtures]

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
        signals = [self._conditioned[number] for number in batch]
        longest = max(len(signal.gains) for signal in signals)
        analysed = []
        for signal in signals:
            analysed.append(self._front_end.analyse_whole(signal.followed_by_silence(longest)))

        made = masks(np.stack([features for _, features in analysed]))
        for number, (spectrum, _), mask in zip(batch, analysed, made, strict=True):
            samples = len(self.mixtures[number].noisy)
            yield number, self._front_end.synthesise_whole(spectrum, mask, samples)
