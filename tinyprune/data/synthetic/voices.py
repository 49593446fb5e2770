"""Synthetic speech: sentences in twelve languages, said by espeak-ng with many voices.

A speaker is a language (or accent) and a timbre; pace, pitch, melody and the length of the vocal
tract belong to the speaker and never change. Each timbre is in one split only, so no speaker of
training is heard again in a test.
"""

import functools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.files import SAMPLE_RATE
from tinyprune.data.clips import Clip
from tinyprune.data.synthetic import espeak
from tinyprune.data.synthetic.channel import channel
from tinyprune.data.synthetic.common import at_level, check, generator, stream
from tinyprune.data.synthetic.texts import sentence

SHORTEST_SECONDS = 2.0
LONGEST_SECONDS = 8.0
LEVEL_DB = (-34.0, -18.0)

#: espeak-ng voice -> language of the text.
_VOICES = {
    "en-us": "en",
    "en": "en",
    "en-gb-scotland": "en",
    "de": "de",
    "fr": "fr",
    "fr-be": "fr",
    "es": "es",
    "es-419": "es",
    "it": "it",
    "pt": "pt",
    "pt-br": "pt",
    "nl": "nl",
    "sv": "sv",
    "da": "da",
    "pl": "pl",
    "fi": "fi",
    "ro": "ro",
}

#: High and low timbres by split. Left out: effects (robots, whispers), and those whose samples
#: change from run to run.
_TIMBRES = {
    "train": (
        ("f1", "f2", "f4", "Alicia", "Annie", "belinda", "aunty", "steph", "anika"),
        (
            "m1",
            "m2",
            "m3",
            "m5",
            "m7",
            "Alex",
            "Andy",
            "Denis",
            "Henrique",
            "Lee",
            "Mario",
            "Nguyen",
            "boris",
            "david",
            "gustave",
            "marcelo",
            "max",
            "pablo",
            "quincy",
            "robert",
            "victor",
            "adam",
            "norbert",
            "travis",
        ),
    ),
    "dev": (("f3", "linda", "grandma"), ("m4", "Michael", "miguel", "edward")),
    "test": (("f5", "Andrea", "shelby"), ("m6", "m8", "Diogo", "rob")),
}


@dataclass(frozen=True)
class Speaker:
    """A voice and its manner of speaking.

    Attributes:
        voice: espeak-ng voice.
        variant: espeak-ng timbre.
        words_per_minute: usual pace.
        pitch, pitch_range: as espeak-ng takes them, 50 is the timbre's own.
        tract: factor on all frequencies, as of a shorter (above 1) or longer vocal tract.
    """

    voice: str
    variant: str
    words_per_minute: int
    pitch: int
    pitch_range: int
    tract: float

    @property
    def name(self) -> str:
        """The speaker's unique name, e.g. ``"de+f1"``."""
        return f"{self.voice}+{self.variant}"


def clips(split: str, minutes: float, seed: int) -> Iterator[Clip]:
    """Yield utterances of 2 to 8 s; with more minutes the first ones stay the same.

    Args:
        split: "train", "dev" or "test"; speakers and sentences differ between them.
        minutes: length of the speech; the last clip may pass it.
        seed: of everything random.

    Raises:
        UsageError: no such split or seed.
        TinypruneError: espeak-ng is missing.
    """
    check(split, seed)
    return stream(functools.partial(_clip, split, seed), minutes)


@functools.cache
def speakers(split: str) -> tuple[tuple[Speaker, ...], tuple[Speaker, ...]]:
    """Return the speakers of a split: those with high voices, those with low voices."""
    high_timbres, low_timbres = _TIMBRES[split]
    return _speakers_of(high_timbres), _speakers_of(low_timbres)


def _speakers_of(timbres: tuple[str, ...]) -> tuple[Speaker, ...]:
    """Return a speaker of each voice and timbre."""
    return tuple(_speaker(voice, timbre) for voice in _VOICES for timbre in timbres)


def any_speaker(rng: np.random.Generator, split: str) -> Speaker:
    """Draw a speaker of a split.

    High and low voices are equally likely, although there are more low timbres.
    """
    group = speakers(split)[rng.integers(2)]
    return group[rng.integers(len(group))]


def say(rng: np.random.Generator, speaker: Speaker, split: str, use: str) -> Float32Array:
    """Return a random sentence as espeak-ng says it, without silence around it.

    It is float32, shape (samples,), at 22,050 Hz.
    """
    samples = espeak.speak(
        sentence(rng, _VOICES[speaker.voice], split, use),
        speaker.voice,
        variant=speaker.variant,
        words_per_minute=round(speaker.words_per_minute * rng.uniform(0.9, 1.1)),
        pitch=speaker.pitch + int(rng.integers(-4, 5)),
        pitch_range=speaker.pitch_range,
    )
    return _trim(samples)


def _speaker(voice: str, variant: str) -> Speaker:
    rng = np.random.default_rng(zlib.crc32(f"{voice}+{variant}".encode()))
    return Speaker(
        voice,
        variant,
        words_per_minute=int(rng.integers(140, 200)),
        pitch=int(rng.integers(30, 75)),
        pitch_range=int(rng.integers(30, 90)),
        tract=float(rng.uniform(0.94, 1.08)),
    )


def _clip(split: str, seed: int, index: int) -> Clip:
    rng = generator("speech", split, seed, index)
    speaker = any_speaker(rng, split)
    samples = channel(_utterance(rng, speaker, split), rng)
    levelled = at_level(samples, rng.uniform(*LEVEL_DB))
    return Clip(f"speech-{split}-{index:05d}", speaker.name, levelled)


def _utterance(rng: np.random.Generator, speaker: Speaker, split: str) -> Float32Array:
    """Return one or more sentences with pauses, float32, shape (samples,), at 16 kHz."""
    import soxr

    least_samples = rng.uniform(SHORTEST_SECONDS, 5.0) * SAMPLE_RATE
    rate = espeak.SAMPLE_RATE * speaker.tract
    parts = [_pause(rng, 0.05, 0.3)]
    while sum(map(len, parts)) < least_samples:
        spoken = say(rng, speaker, split, "speech")
        parts.append(soxr.resample(spoken, rate, SAMPLE_RATE))
        parts.append(_pause(rng, 0.1, 0.5))
    return _fade(np.concatenate(parts)[: round(LONGEST_SECONDS * SAMPLE_RATE)])


def _pause(rng: np.random.Generator, shortest: float, longest: float) -> Float32Array:
    return np.zeros(round(rng.uniform(shortest, longest) * SAMPLE_RATE), np.float32)


def _trim(samples: Float32Array) -> Float32Array:
    loud = np.flatnonzero(np.abs(samples) > 1e-3)
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples


def _fade(samples: Float32Array) -> Float32Array:
    """Fade the last 20 ms out: a long utterance is cut off in the middle of a word."""
    length = SAMPLE_RATE // 50
    ramp = np.linspace(1, 0, length, dtype=np.float32)
    return np.concatenate([samples[:-length], samples[-length:] * ramp])
