"""Noisy mixtures of speech and noise: random excerpts to train on, a fixed set to score on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.data.speech import fixed_mixtures
from tinyprune.data.speech.excerpts import Excerpts, Variation
from tinyprune.data.speech.mixing import Mixing, NoisyUtterance, SpeechAndNoise
from tinyprune.data.speech.recording import Recording
from tinyprune.data.splits import split_of


@dataclass(frozen=True)
class MixtureDataset:
    """Splits of speech and noise, and how they are mixed; see :class:`SpeechData`.

    Attributes:
        splits: "train", "dev" and, where there is one, "test".
        mixing: SNRs, levels and what else varies in training.
        scored_utterances: mixtures in a dev or test set.
        seed: of all mixtures.
    """

    task: ClassVar[str] = "speech"

    splits: dict[str, SpeechAndNoise]
    mixing: Mixing
    scored_utterances: int
    seed: int

    @property
    def follows_level(self) -> bool:
        """True where features of training are amplified to the usual level, as in a stream."""
        return self.mixing.follow_level

    @property
    def max_attenuation_db(self) -> float | None:
        """The most that noise is attenuated in what is learned; None: there is no limit."""
        return self.mixing.max_attenuation_db

    def split(self, name: str) -> SpeechAndNoise:
        """Return a split by name. Raises UsageError if this data set has none of that name."""
        return split_of(self.splits, name, f"give --{name}-speech and --{name}-noise")

    def fingerprint(self) -> str:
        """Return a text that changes with the samples of training and dev, and with the mixing.

        A test set is no part of it: it may be added later.
        """
        hashes = []
        for name, split in self.splits.items():
            if name == "test":
                continue
            for store in (split.speech, split.noise, split.rirs):
                if store is not None:
                    hashes.append(f"{name}:{store.index.sha256}:{len(store)}")

        settings = [str(self.mixing.snr_db), str(self.scored_utterances), str(self.seed)]
        return "|".join(hashes + settings + self.mixing.differences())

    def batches_per_epoch(self, batch_size: int, samples: int) -> int:
        """Return the number of batches that are together as long as the training speech."""
        speech_samples = int(self.split("train").speech.lengths.sum())
        return max(1, round(speech_samples / (samples * batch_size)))

    def batches(
        self, epoch: int, batch_size: int, samples: int, seed: int = 0
    ) -> Iterator[tuple[Float32Array, Float32Array]]:
        """Yield the training mixtures of an epoch, (noisy, clean), each (batch_size, samples).

        They are the same for the same ``seed``. What varies and is off by default has a random
        stream of its own, so that turning it on leaves the rest of a batch as it was.
        """
        split = self.split("train")
        rng = np.random.default_rng([self.seed, 1, seed, epoch])
        variation_rng = np.random.default_rng([self.seed, 4, seed, epoch])
        recording_rng = np.random.default_rng([self.seed, 8, seed, epoch])
        variation = Variation(split, self.mixing, samples, variation_rng)
        recording = Recording(split, self.mixing, samples, recording_rng)
        speech_excerpts = Excerpts(split.speech, variation.drawn, rng)
        noise_excerpts = Excerpts(split.noise, variation.drawn, rng)

        # The order of the draws from `rng` decides what a seed gives: keep it.
        for _ in range(self.batches_per_epoch(batch_size, samples)):
            clips, dry = speech_excerpts.draw(batch_size)
            snr_db = rng.uniform(*self.mixing.snr_db, size=(batch_size, 1))
            level_db = rng.uniform(*self.mixing.level_db, size=(batch_size, 1))
            speech = variation.speech(dry)
            _, recorded_noise = noise_excerpts.draw(batch_size)
            noise = variation.noise(recorded_noise, clips)
            noise = recording.talkers(noise, clips, snr_db)
            speech, noise = recording.through_microphones(speech, noise)

            level = 10 ** (level_db / 20)
            clean = speech * level.astype(np.float32)
            noise = noise * (level * 10 ** (-snr_db / 20)).astype(np.float32)
            noise = noise * recording.noise_gains(batch_size)
            noisy = recording.clipped(clean + noise)
            yield noisy, self._learned(clean, noise)

    def _learned(self, clean: Float32Array, noise: Float32Array) -> Float32Array:
        """Return what is to come out, (batch, samples): the speech, and the noise at its limit."""
        residual = self.mixing.residual_noise
        return clean + noise * np.float32(residual) if residual else clean

    def utterances(self, split: str) -> list[NoisyUtterance]:
        """Return the fixed mixtures of a split.

        Speech is spread over its speakers, SNRs go over their range in equal steps.
        """
        sources = self.split(split)
        snrs_db = fixed_mixtures.snr_steps(self.mixing.snr_db)
        drawn = fixed_mixtures.draw_mixtures(sources, snrs_db, self.scored_utterances, self.seed)
        return [
            fixed_mixtures.mix(sources, mixture, fixed_mixtures.MAX_UTTERANCE_SECONDS)
            for mixture in drawn
        ]
