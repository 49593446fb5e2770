"""Noisy mixtures of speech and noise, made on the fly: random excerpts to train on, a fixed set to score on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.data.speech import fixed_mixtures
from tinyprune.data.speech.excerpts import Excerpts, Variation
from tinyprune.data.speech.mixing import Mixing, Mixture, Split
from tinyprune.data.splits import split_of


class SpeechData(Protocol):
    """What training and scoring need of a data set of noisy and clean speech."""

    def batches_per_epoch(self, batch_size: int, samples: int) -> int:
        """Number of batches of one epoch, at least one."""

    def batches(
        self, epoch: int, batch_size: int, samples: int, seed: int = 0
    ) -> Iterator[tuple[Float32Array, Float32Array]]:
        """The training excerpts of an epoch, (noisy, clean), each (batch_size, samples), float32, 16 kHz."""

    def utterances(self, split: str) -> list[Mixture]:
        """The fixed set of a split that is scored. Raises UsageError if there is no such split."""

    def fingerprint(self) -> str:
        """Changes when any sample of training or dev, or the way of making batches, does."""


@dataclass(frozen=True)
class SpeechDataset:
    """Splits of a corpus and how they are mixed.

    Attributes:
        splits: "train", "dev" and, where there is one, "test".
        mixing: SNRs, levels and what else varies in training.
        scored_utterances: mixtures in a dev or test set.
        seed: of all mixtures.
    """

    splits: dict[str, Split]
    mixing: Mixing
    scored_utterances: int
    seed: int

    def split(self, name: str) -> Split:
        """A split by name. Raises UsageError if this dataset has none of that name."""
        return split_of(self.splits, name, f"give --{name}-speech and --{name}-noise")

    def fingerprint(self) -> str:
        """Changes when any sample of training or dev, or the way of mixing, does; a test set may come later."""
        hashes = [
            f"{name}:{part.index.sha256}:{len(part)}"
            for name, split in self.splits.items()
            if name != "test"
            for part in (split.speech, split.noise, split.rirs)
            if part is not None
        ]
        settings = [
            self.mixing.snr_db,
            self.scored_utterances,
            self.seed,
            *self.mixing.differences(),
        ]
        return "|".join([*hashes, *map(str, settings)])

    def batches_per_epoch(self, batch_size: int, samples: int) -> int:
        """Number of batches of one epoch: as many sequences as the training speech is long, at least one batch."""
        return max(1, round(int(self.split("train").speech.lengths.sum()) / (samples * batch_size)))

    def batches(
        self, epoch: int, batch_size: int, samples: int, seed: int = 0
    ) -> Iterator[tuple[Float32Array, Float32Array]]:
        """The training mixtures of an epoch, (noisy, clean), each (batch_size, samples); the same for the same seed."""
        split, mixing = self.split("train"), self.mixing
        rng, varying = (
            np.random.default_rng([self.seed, stream, seed, epoch]) for stream in (1, 4)
        )
        variation = Variation(split, mixing, samples, varying)
        speech, noise = (
            Excerpts(split.speech, variation.drawn, rng),
            Excerpts(split.noise, variation.drawn, rng),
        )
        for _ in range(self.batches_per_epoch(batch_size, samples)):
            (clips, dry), snr = (
                speech.draw(batch_size),
                rng.uniform(*mixing.snr_db, size=(batch_size, 1)),
            )
            level = 10 ** (rng.uniform(*mixing.level_db, size=(batch_size, 1)) / 20)
            clean = variation.speech(dry) * level.astype(np.float32)
            added = variation.noise(noise.draw(batch_size)[1], clips)
            yield clean + added * (level * 10 ** (-snr / 20)).astype(np.float32), clean

    def utterances(self, split: str) -> list[Mixture]:
        """The fixed mixtures of a split: speech spread over its speakers, SNRs in equal steps over the range."""
        part, snrs = self.split(split), fixed_mixtures.snr_steps(self.mixing.snr_db)
        draws = fixed_mixtures.draws(part, snrs, self.scored_utterances, self.seed)
        return [
            fixed_mixtures.mixed(part, draw, fixed_mixtures.MAX_UTTERANCE_SECONDS) for draw in draws
        ]
