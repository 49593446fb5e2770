"""The interface of a data set of noisy and clean speech."""

from collections.abc import Iterator
from typing import Protocol

from tinyprune.array_types import Float32Array
from tinyprune.data.speech.mixing import NoisyUtterance


class SpeechData(Protocol):
    """A data set of noisy and clean speech, as training and scoring use it."""

    @property
    def task(self) -> str:
        """Name of the task: speech."""

    @property
    def follows_level(self) -> bool:
        """True where features of training are amplified to the usual level, as in a stream."""

    @property
    def max_attenuation_db(self) -> float | None:
        """The most that noise is attenuated in what is learned; None: there is no limit."""

    def batches_per_epoch(self, batch_size: int, samples: int) -> int:
        """Return the number of batches of one epoch, at least one."""

    def batches(
        self, epoch: int, batch_size: int, samples: int, seed: int = 0
    ) -> Iterator[tuple[Float32Array, Float32Array]]:
        """Yield the training excerpts of an epoch as (noisy, clean), 16 kHz.

        Each is of shape (batch_size, samples).
        """

    def utterances(self, split: str) -> list[NoisyUtterance]:
        """Return the fixed set of a split that is scored. Raises UsageError for another split."""

    def fingerprint(self) -> str:
        """Return a text that changes with the training and dev samples, and with the batches."""
