"""``paired``: noisy recordings and the clean speech in them, file by file."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.files import SAMPLE_RATE
from tinyprune.config import PairedData
from tinyprune.config.values import each_of
from tinyprune.data.corpora import layouts
from tinyprune.data.corpora.corpus import hold_out_speakers
from tinyprune.data.speech import fixed_mixtures
from tinyprune.data.speech.augmentation import change_speed, draw_speeds, excerpt_length
from tinyprune.data.speech.excerpts import Excerpts
from tinyprune.data.speech.mixing import NoisyUtterance, Range
from tinyprune.data.speech.pair_store import PairStore, match_each, measured_snr_db, open_pairs
from tinyprune.data.splits import split_of
from tinyprune.errors import UsageError

LONGEST_TEST_SECONDS = 30.0


def load(config: PairedData, cache: Path) -> "PairedDataset":
    """Noisy and clean files of the same names: two folders, a known corpus such as
    VoiceBank+DEMAND, or a CSV manifest.

    Decoded audio goes to ``cache``. Without dev data, a tenth of the speakers is held out. Raises
    UsageError for files that cannot be used.
    """
    corpus_splits = layouts.configured_splits(config, match_each)
    splits = {}
    for name, split in corpus_splits.items():
        splits[name] = open_pairs(split, _location(config, name), cache)
    if "dev" not in splits:
        splits |= _hold_out(splits["train"], config.seed)
    return PairedDataset(splits, config.level_db, config.speed, config.dev_utterances, config.seed)


def _location(config: PairedData, split: str) -> str:
    """Return the place that the pairs of a split come from, for messages."""
    if config.path:
        return f"{config.path} ({split})"
    noisy, clean = layouts.folder_fields(split, config.folders)
    folders = [", ".join(each_of(getattr(config, field))) for field in (noisy, clean)]
    return " and ".join(folders)


def _hold_out(train: PairStore, seed: int) -> dict[str, PairStore]:
    """Return training pairs, and those of a tenth of the speakers as dev."""
    speakers = [pair.speaker for pair in train.pairs]
    names = [pair.name for pair in train.pairs]
    remedy = "give --dev-noisy and --dev-clean"
    is_dev = hold_out_speakers("pairs", speakers, names, train.lengths, seed, remedy)
    if is_dev is None:
        raise UsageError(f"one pair cannot be split into training and dev: add files, or {remedy}")
    return {"train": train.subset(~is_dev), "dev": train.subset(is_dev)}


@dataclass(frozen=True)
class PairedDataset:
    """Splits of pairs, and their variation in training.

    See :class:`tinyprune.data.speech.dataset.SpeechData`.

    Attributes:
        splits: "train", "dev" and, where there is one, "test".
        level_db: range of the level of the clean speech in training, relative to full scale.
        speed: range of the factor by which training pairs are played faster.
        scored_utterances: pairs of dev that are scored; of test all are.
        seed: of what is held out, and of the excerpts.
    """

    task: ClassVar[str] = "speech"
    follows_level: ClassVar[bool] = False
    max_attenuation_db: ClassVar[float | None] = None

    splits: dict[str, PairStore]
    level_db: Range
    speed: Range
    scored_utterances: int
    seed: int

    def split(self, name: str) -> PairStore:
        """Return a split by name. Raises UsageError if this data set has none of that name."""
        return split_of(self.splits, name, f"give --{name}-noisy and --{name}-clean")

    def fingerprint(self) -> str:
        """Return a text that changes with the samples of training and dev, and with the settings.

        A test set is no part of it: it may be added later.
        """
        hashes = []
        for name, store in self.splits.items():
            if name != "test":
                hashes.append(f"{name}:{store.clips.index.sha256}:{len(store)}")
        settings = str(replace(self, splits={}))
        return "|".join(["paired", *hashes, settings])

    def batches_per_epoch(self, batch_size: int, samples: int) -> int:
        """Return the number of batches that are together as long as the training pairs."""
        training_samples = int(self.split("train").lengths.sum())
        return max(1, round(training_samples / (samples * batch_size)))

    def batches(
        self, epoch: int, batch_size: int, samples: int, seed: int = 0
    ) -> Iterator[tuple[Float32Array, Float32Array]]:
        """Yield random excerpts of training pairs, (noisy, clean), each (batch_size, samples).

        They are the same for the same ``seed``. Level and speed of both files of a pair change
        together, so their SNR stays the same.
        """
        rng = np.random.default_rng([self.seed, 1, seed, epoch])
        longest = excerpt_length(samples, self.speed[1])
        excerpts = Excerpts(self.split("train"), longest, rng)
        for _ in range(self.batches_per_epoch(batch_size, samples)):
            _, pairs = excerpts.draw(batch_size)  # (batch, 2, longest), the clean one of level 1
            gains = 10 ** (rng.uniform(*self.level_db, size=(batch_size, 1, 1)) / 20)
            pairs = pairs * gains.astype(np.float32)
            if self.speed != (1.0, 1.0):
                factors = np.repeat(draw_speeds(self.speed, batch_size, rng), 2)
                signals = pairs.reshape(2 * batch_size, -1)
                pairs = change_speed(signals, factors, samples).reshape(batch_size, 2, -1)
            yield pairs[:, 0], pairs[:, 1]

    def utterances(self, split: str) -> list[NoisyUtterance]:
        """Return the fixed pairs of a split.

        Of dev they are a number of pairs spread over its speakers, up to 5 s of each; of test all,
        up to 30 s. An SNR that the corpus does not say is measured, and rounded to 5 dB.
        """
        store = self.split(split)
        if split == "test":
            return [_utterance(store, number, LONGEST_TEST_SECONDS) for number in range(len(store))]

        rng = np.random.default_rng([self.seed, 2])
        order = fixed_mixtures.spread_over_groups([pair.speaker for pair in store.pairs], rng)
        seconds = fixed_mixtures.MAX_UTTERANCE_SECONDS
        scored = order[: self.scored_utterances]
        return [_utterance(store, int(number), seconds) for number in scored]


def _utterance(store: PairStore, number: int, seconds: float) -> NoisyUtterance:
    """Return a pair, at most so many seconds of it."""
    pair = store.pairs[number]
    samples = min(int(store.lengths[number]), round(seconds * SAMPLE_RATE))
    noisy, clean = store.excerpt(number, 0, samples)
    snr_db = measured_snr_db(noisy, clean) if pair.snr_db is None else pair.snr_db
    return NoisyUtterance(pair.name, snr_db, pair.category, noisy, clean, pair.speaker)
