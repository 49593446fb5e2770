"""How training mixtures are recorded: vocal effort, microphones, bands, talkers, clipping."""

import numpy as np

from tinyprune.array_types import Float32Array, Float64Array
from tinyprune.data.speech import augmentation
from tinyprune.data.speech.babble import SpeakerPool, mix_voices
from tinyprune.data.speech.mixing import Mixing, SpeechAndNoise
from tinyprune.data.speech.responses import impulse_responses

#: A talker is in the background where the speech is so much louder, in dB; else nobody could tell
#: who is meant.
LEAST_TALKER_SNR_DB = 5.0
#: Fraction of the mixtures that pass through a filter: of effort, microphone and band.
FILTERED = 0.5
#: Ends of the band of a band-limited recording, in Hz: from, to.
LOWEST_HZ = (50.0, 400.0)
HIGHEST_HZ = (2800.0, 7000.0)
#: How far below its peak a clipped recording is cut off, in dB: from, to.
CLIPPED_DB = (1.0, 12.0)


class Recording:
    """Variation of speech and noise at unit level, before and after they are mixed.

    What is off changes nothing. All is drawn from a random stream of its own, so that turning
    something on leaves the clips, SNRs and levels of a batch as they were.

    Attributes:
        mixing: the settings. samples: of an excerpt.
    """

    def __init__(
        self, split: SpeechAndNoise, mixing: Mixing, samples: int, rng: np.random.Generator
    ) -> None:
        self.mixing = mixing
        self.samples = samples
        self._rirs = split.rirs
        self._rng = rng
        self._speakers = SpeakerPool(split.speech) if mixing.talkers else None

    def talkers(self, noise: Float32Array, clips: list[int], snr_db: np.ndarray) -> Float32Array:
        """Return noise (batch, samples), some of it replaced by one talker in the background.

        The talker is another one than those of the clips of speech, ``clips`` (batch), in a room
        where there are rooms. ``snr_db`` (batch, 1) is raised there to at least 5 dB.
        """
        if self._speakers is None:
            return noise

        for row in np.flatnonzero(self._rng.random(len(noise)) < self.mixing.talkers):
            voices = self._speakers.draw_one(clips[row], self._rng)
            voice = mix_voices(self._speakers.store, voices, self.samples)
            noise[row] = self._in_a_room(voice)
            snr_db[row] = np.maximum(snr_db[row], LEAST_TALKER_SNR_DB)
        return noise

    def _in_a_room(self, voice: Float32Array) -> Float32Array:
        if self._rirs is None:
            return voice
        room = int(self._rng.integers(len(self._rirs)))
        [wet] = augmentation.reverberate(voice[None], impulse_responses(self._rirs, [room]))
        return wet

    def through_microphones(
        self, speech: Float32Array, noise: Float32Array
    ) -> tuple[Float32Array, Float32Array]:
        """Return speech and noise (batch, samples) as recorded, at the levels that they had.

        In half of them the speech is of another vocal effort: its spectrum is tilted. There both
        pass through the same microphone, and some through a narrow band.
        """
        mixing = self.mixing
        if mixing.tilt_db == (0.0, 0.0) and not mixing.colour_db and not mixing.narrow:
            return speech, noise

        rows = np.flatnonzero(self._rng.random(len(speech)) < FILTERED)
        frequencies = augmentation.bin_frequencies(self.samples)
        octaves_db = self._rng.uniform(-1, 1, (len(rows), len(augmentation.OCTAVES_HZ)))
        colour = augmentation.colour_db(frequencies, mixing.colour_db * octaves_db)
        tilts = self._rng.uniform(*mixing.tilt_db, size=len(rows))
        tilted = colour + augmentation.tilt_db(frequencies, tilts)
        band = self._bands(len(rows), frequencies)
        speech[rows] = _filtered_at_its_level(speech[rows], tilted, band)
        noise[rows] = _filtered_at_its_level(noise[rows], colour, band)
        return speech, noise

    def _bands(self, count: int, frequencies: Float64Array) -> Float32Array:
        """Return gains (count, bins): of a narrow band for some, 1 for the others.

        Of the mixtures that are filtered, more are narrow than of all.
        """
        gains = np.ones((count, len(frequencies)), np.float32)
        lowest = self._rng.uniform(*LOWEST_HZ, size=count)
        highest = self._rng.uniform(*HIGHEST_HZ, size=count)
        rows = np.flatnonzero(self._rng.random(count) < self.mixing.narrow / FILTERED)
        gains[rows] = augmentation.band_gains(frequencies, lowest[rows], highest[rows])
        return gains

    def noise_gains(self, batch: int) -> Float32Array:
        """Return factors of the noise, (batch, 1): 0 for the fraction of clean recordings."""
        if not self.mixing.clean_share:
            return np.ones((batch, 1), np.float32)
        is_noisy = self._rng.random((batch, 1)) >= self.mixing.clean_share
        return is_noisy.astype(np.float32)

    def clipped(self, noisy: Float32Array) -> Float32Array:
        """Return mixtures (batch, samples), a fraction of them clipped."""
        if not self.mixing.clipped:
            return noisy

        over_db = self._rng.uniform(*CLIPPED_DB, size=len(noisy))
        rows = np.flatnonzero(self._rng.random(len(noisy)) < self.mixing.clipped)
        noisy[rows] = augmentation.clipped(noisy[rows], over_db[rows])
        return noisy


def _filtered_at_its_level(
    signals: Float32Array, gains_db: np.ndarray, band: Float32Array
) -> Float32Array:
    """Return signals (batch, samples) filtered by both gains (batch, bins), as loud as before."""
    levels = np.sqrt(np.mean(np.square(signals), axis=1))
    gains = 10 ** (gains_db.astype(np.float32) / 20) * band
    return augmentation.at_level(augmentation.filtered(signals, gains), levels)
