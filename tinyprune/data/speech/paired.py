"""``paired``: noisy recordings and the clean speech in them, file by file; split by speaker or with a held-out part."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.config import DataConfig
from tinyprune.data.corpora import layouts
from tinyprune.data.corpora.corpus import held_out
from tinyprune.data.speech import fixed_mixtures
from tinyprune.data.speech.augmentation import change_speed, excerpt_length
from tinyprune.data.speech.excerpts import Excerpts
from tinyprune.data.speech.mixing import SAMPLE_RATE, Mixture
from tinyprune.data.speech.pair_store import PairStore, match, measured_snr_db, open_pairs
from tinyprune.data.splits import split_of
from tinyprune.errors import UsageError

LONGEST_TEST_SECONDS = 30.0


def load(config: DataConfig, cache: Path) -> "PairedDataset":
    """Noisy and clean files of the same names: two folders, a known corpus such as VoiceBank+DEMAND, or a CSV manifest.

    Decoded audio goes to ``cache``. Raises UsageError for what does not serve.
    """
    parts = layouts.splits_of(config, "paired", layouts.PAIRED, match)
    splits = {
        split: open_pairs(part, _where(config, split), cache) for split, part in parts.items()
    }
    if "dev" not in splits:
        splits |= _held_out(splits["train"], config.seed)
    return PairedDataset(splits, config.level_db, config.speed, config.dev_utterances, config.seed)


def _where(config: DataConfig, split: str) -> str:
    """Where the pairs of a split come from, for messages."""
    if config.path:
        return f"{config.path} ({split})"
    noisy, clean = (
        getattr(config, name if split == "train" else f"{split}_{name}") for name in layouts.PAIRED
    )
    return f"{noisy} and {clean}"


def _held_out(train: PairStore, seed: int) -> dict[str, PairStore]:
    """Training pairs, and those of a tenth of the speakers as dev."""
    mask = held_out(
        [pair.speaker for pair in train.pairs], [pair.name for pair in train.pairs], seed
    )
    if mask is None:
        raise UsageError(
            "one pair cannot be split into training and dev: add files, or give --dev-noisy and --dev-clean"
        )
    return {"train": train.subset(~mask), "dev": train.subset(mask)}


@dataclass(frozen=True)
class PairedDataset:
    """Splits of pairs, and what varies in training; see :class:`tinyprune.data.speech.dataset.SpeechData`.

    Attributes:
        splits: "train", "dev" and, where there is one, "test".
        level_db: range of the level of the clean speech in training, relative to full scale.
        speed: range of the factor by which training pairs are played faster.
        scored_utterances: pairs of dev that are scored; of test all are.
        seed: of what is held out, and of the excerpts.
    """

    splits: dict[str, PairStore]
    level_db: tuple[float, float]
    speed: tuple[float, float]
    scored_utterances: int
    seed: int

    def split(self, name: str) -> PairStore:
        """A split by name. Raises UsageError if this dataset has none of that name."""
        return split_of(self.splits, name, f"give --{name}-noisy and --{name}-clean")

    def fingerprint(self) -> str:
        """Changes when any sample of training or dev, or the way of making batches, does; a test set may come later."""
        hashes = [
            f"{name}:{store.clips.index.sha256}:{len(store)}"
            for name, store in self.splits.items()
            if name != "test"
        ]
        return "|".join(["paired", *hashes, str(replace(self, splits={}))])

    def batches_per_epoch(self, batch_size: int, samples: int) -> int:
        """Number of batches of one epoch: as many sequences as the training pairs are long, at least one batch."""
        return max(1, round(int(self.split("train").lengths.sum()) / (samples * batch_size)))

    def batches(
        self, epoch: int, batch_size: int, samples: int, seed: int = 0
    ) -> Iterator[tuple[Float32Array, Float32Array]]:
        """Random excerpts of training pairs, (noisy, clean), each (batch_size, samples); the same for the same seed.

        Level and speed of both files of a pair change together, so their SNR stays what it is.
        """
        rng = np.random.default_rng([self.seed, 1, seed, epoch])
        excerpts = Excerpts(self.split("train"), excerpt_length(samples, self.speed[1]), rng)
        for _ in range(self.batches_per_epoch(batch_size, samples)):
            _, pairs = excerpts.draw(
                batch_size
            )  # (batch, 2, samples or more); the clean speech has a level of 1
            gains = 10 ** (rng.uniform(*self.level_db, size=(batch_size, 1, 1)) / 20)
            pairs = pairs * gains.astype(np.float32)
            if self.speed != (1.0, 1.0):
                factors = np.repeat(rng.uniform(*self.speed, size=batch_size), 2)
                pairs = change_speed(pairs.reshape(2 * batch_size, -1), factors, samples).reshape(
                    batch_size, 2, -1
                )
            yield pairs[:, 0], pairs[:, 1]

    def utterances(self, split: str) -> list[Mixture]:
        """The fixed pairs of a split: of dev a number of them, spread over its speakers, up to 5 s; of test all.

        Pairs of test are whole up to 30 s. An SNR that the corpus does not say is measured, and
        rounded to 5 dB.
        """
        store = self.split(split)
        if split == "test":
            return [_mixture(store, number, LONGEST_TEST_SECONDS) for number in range(len(store))]
        rng = np.random.default_rng([self.seed, 2])
        order = np.argsort(
            [
                rank + rng.random()
                for rank in fixed_mixtures.ranks_in_group([pair.speaker for pair in store.pairs])
            ]
        )
        return [
            _mixture(store, int(number), fixed_mixtures.MAX_UTTERANCE_SECONDS)
            for number in order[: self.scored_utterances]
        ]


def _mixture(store: PairStore, number: int, seconds: float) -> Mixture:
    """A pair, at most so many seconds of it."""
    pair = store.pairs[number]
    noisy, clean = store.excerpt(
        number, 0, min(int(store.lengths[number]), round(seconds * SAMPLE_RATE))
    )
    snr_db = measured_snr_db(noisy, clean) if pair.snr_db is None else pair.snr_db
    return Mixture(pair.name, snr_db, pair.category, noisy, clean, pair.speaker)
