"""Noisy mixtures of speech and noise, made on the fly: random excerpts to train on, a fixed set to score on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinyprune.audio.stft import Array
from tinyprune.data.clips import ClipStore
from tinyprune.errors import UsageError

SAMPLE_RATE = 16_000
MAX_UTTERANCE_SECONDS = 5.0
SNR_STEPS = 6
SILENCE_RMS = 1e-4
LEVEL_DB = (-35.0, -15.0)  # of the speech in a training mixture, relative to full scale


@dataclass(frozen=True)
class Split:
    """Speech and noise of one split. Attributes: speech, noise."""

    speech: ClipStore
    noise: ClipStore


@dataclass(frozen=True)
class Mixture:
    """A noisy utterance and its clean speech.

    Attributes:
        name: speech and noise clip. snr_db: of the mixture, nominal. category: of the noise.
        noisy, clean: samples (n,), 16 kHz.
    """

    name: str
    snr_db: float
    category: str
    noisy: Array
    clean: Array


@dataclass(frozen=True)
class SpeechDataset:
    """Splits of a corpus and how they are mixed.

    Attributes:
        splits: "train", "dev" and, where there is one, "test".
        snr_db: range of the SNR.
        scored_utterances: mixtures in a dev or test set.
        seed: of all mixtures.
    """

    splits: dict[str, Split]
    snr_db: tuple[float, float]
    scored_utterances: int
    seed: int

    def split(self, name: str) -> Split:
        """A split by name. Raises UsageError if this dataset has none of that name."""
        if name not in self.splits:
            raise UsageError(
                f"the data have no '{name}' split, only {', '.join(self.splits)}: "
                f"give --{name}-speech and --{name}-noise"
            )
        return self.splits[name]

    def fingerprint(self) -> str:
        """Changes when any sample of training or dev, or the way of mixing, does; a test set may come later."""
        hashes = [
            f"{name}:{part.index.sha256}:{len(part)}"
            for name, split in self.splits.items()
            if name != "test"
            for part in (split.speech, split.noise)
        ]
        return "|".join([*hashes, str(self.snr_db), str(self.scored_utterances), str(self.seed)])

    def batches_per_epoch(self, batch_size: int, samples: int) -> int:
        """Number of batches of one epoch: as many sequences as the training speech is long, at least one batch."""
        return max(1, round(int(self.split("train").speech.lengths.sum()) / (samples * batch_size)))

    def batches(self, epoch: int, batch_size: int, samples: int, seed: int = 0) -> Iterator[tuple[Array, Array]]:
        """The training mixtures of an epoch, (noisy, clean), each (batch_size, samples); the same for the same seed."""
        split, rng = self.split("train"), np.random.default_rng([self.seed, 1, seed, epoch])
        speech = _Excerpts(split.speech, samples, rng)
        noise = _Excerpts(split.noise, samples, rng)
        for _ in range(self.batches_per_epoch(batch_size, samples)):
            clean, snr = speech.draw(batch_size), rng.uniform(*self.snr_db, size=(batch_size, 1))
            level = 10 ** (rng.uniform(*LEVEL_DB, size=(batch_size, 1)) / 20)
            clean *= level.astype(np.float32)
            noisy = clean + noise.draw(batch_size) * (level * 10 ** (-snr / 20)).astype(np.float32)
            yield noisy, clean

    def utterances(self, split: str) -> list[Mixture]:
        """The fixed mixtures of a split: speech spread over its speakers, SNRs in equal steps over the range."""
        part, rng = self.split(split), np.random.default_rng([self.seed, 2])
        snrs = np.linspace(*self.snr_db, SNR_STEPS) if self.snr_db[0] < self.snr_db[1] else [self.snr_db[0]]
        order = np.argsort([rank + rng.random() for rank in _ranks_in_group(part.speech.groups)])
        noises = np.concatenate(
            [rng.permutation(len(part.noise)) for _ in range(-(-self.scored_utterances // len(part.noise)))]
        )
        return [
            _mix(part, int(order[i % len(order)]), int(noises[i]), float(snrs[i % len(snrs)]), rng)
            for i in range(self.scored_utterances)
        ]


def _ranks_in_group(groups: list[str]) -> list[int]:
    """Of each clip, how many of its group come before it: sorted by it, every speaker comes before any comes again."""
    seen: dict[str, int] = {}
    ranks = []
    for group in groups:
        seen[group] = seen.get(group, -1) + 1
        ranks.append(seen[group])
    return ranks


def _mix(part: Split, speech: int, noise: int, snr_db: float, rng: np.random.Generator) -> Mixture:
    samples = int(min(part.speech.lengths[speech], MAX_UTTERANCE_SECONDS * SAMPLE_RATE))
    clean = part.speech.excerpt(speech, 0, samples)
    added = _audible(part.noise, noise, int(rng.integers(part.noise.lengths[noise])), samples)
    power = [float(np.mean(signal.astype(np.float64) ** 2)) for signal in (clean, added)]
    gain = np.sqrt(power[0] / max(power[1], 1e-12) * 10 ** (-snr_db / 10))
    name = f"{part.speech.names[speech]}+{part.noise.names[noise]}"
    return Mixture(name, snr_db, part.noise.groups[noise], clean + np.float32(gain) * added, clean)


def _audible(store: ClipStore, number: int, start: int, samples: int) -> Array:
    """The excerpt from ``start``, or from the clip's loudest sample if that one is silent and has no SNR."""
    excerpt = store.excerpt(number, start, samples)
    if np.sqrt(np.mean(np.square(excerpt))) < SILENCE_RMS:
        loudest = int(np.abs(store.excerpt(number, 0, int(store.lengths[number]))).argmax())
        excerpt = store.excerpt(number, loudest, samples)
    return excerpt


class _Excerpts:
    """Random excerpts of unit level, every clip as often as its length deserves, drawn without replacement."""

    def __init__(self, store: ClipStore, samples: int, rng: np.random.Generator) -> None:
        self.store, self.samples, self.rng = store, samples, rng
        self.chances = np.repeat(np.arange(len(store)), np.maximum(1, np.round(store.lengths / samples)).astype(int))
        self.gains = 1 / np.maximum(store.rms, 1e-4)
        self.queue: list[int] = []

    def draw(self, count: int) -> Array:
        """Excerpts (count, samples); the level of a clip as a whole, not of its excerpt, is 1."""
        while len(self.queue) < count:
            self.queue.extend(self.rng.permutation(self.chances).tolist())
        picked, self.queue = self.queue[:count], self.queue[count:]
        return np.stack([self._excerpt(number) for number in picked])

    def _excerpt(self, number: int) -> Array:
        spare = max(1, int(self.store.lengths[number]) - self.samples + 1)
        start = int(self.rng.integers(spare if spare > 1 else self.store.lengths[number]))
        return self.store.excerpt(number, start, self.samples) * np.float32(self.gains[number])
