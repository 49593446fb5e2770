"""The fixed mixtures of a split: drawn first as numbers of clips, read and mixed later.

The same seed gives the same samples on every machine: nothing here depends on the order in which a
machine adds up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from tinyprune.array_types import Float32Array, Float64Array
from tinyprune.audio.files import SAMPLE_RATE
from tinyprune.data.clips import FULL_SCALE, ClipStore, power
from tinyprune.data.speech import augmentation
from tinyprune.data.speech.babble import SpeakerPool, Voice, mix_voices
from tinyprune.data.speech.excerpts import IN_ROOMS
from tinyprune.data.speech.mixing import (
    SILENCE_RMS,
    NoisyUtterance,
    Range,
    SpeechAndNoise,
)
from tinyprune.data.speech.responses import impulse_responses

MAX_UTTERANCE_SECONDS = 5.0
SNR_STEPS = 6
BABBLE = "babble"
_LOWEST_POWER = 1e-12


@dataclass(frozen=True)
class DrawnMixture:
    """The parts of a mixture, as numbers of clips of a split.

    Attributes:
        speech: of its clip, from the beginning. snr_db: of the mixture. noise: of its clip. start:
            sample of the noise to begin with.
        room: of its impulse response. babble: the voices that are the noise instead of the clip.
    """

    speech: int
    snr_db: float
    noise: int
    start: int
    room: int | None = None
    babble: tuple[Voice, ...] = ()


def snr_steps(snr_db: Range) -> list[float]:
    """Return SNRs in equal steps over a range: six, or one where the range has no width."""
    lowest, highest = snr_db
    steps = SNR_STEPS if lowest < highest else 1
    snrs_db: list[float] = np.linspace(lowest, highest, steps).tolist()
    return snrs_db


def draw_mixtures(
    split: SpeechAndNoise,
    snrs_db: Sequence[float],
    count: int,
    seed: int,
    babble_fraction: float = 0.0,
) -> list[DrawnMixture]:
    """Draw ``count`` mixtures: speech spread over its speakers, SNRs and noises going round.

    Half of them are in rooms, if the split has any. ``babble_fraction`` of them have other speakers
    as their noise.
    """
    rng = np.random.default_rng([seed, 2])
    speech_order = spread_over_groups(split.speech.groups, rng)
    rounds = -(-count // len(split.noise))
    noises = np.concatenate([rng.permutation(len(split.noise)) for _ in range(rounds)])

    speech = [int(speech_order[number % len(speech_order)]) for number in range(count)]
    starts = [int(rng.integers(split.noise.lengths[noise])) for noise in noises[:count]]
    rooms = _draw_rooms(split, count, seed)
    babble = _draw_babble(split, speech, seed, babble_fraction)

    drawn = []
    for number in range(count):
        snr_db = float(snrs_db[number % len(snrs_db)])
        noise = int(noises[number])
        mixture = DrawnMixture(
            speech[number], snr_db, noise, starts[number], rooms[number], babble[number]
        )
        drawn.append(mixture)
    return drawn


def spread_over_groups(groups: list[str], rng: np.random.Generator) -> np.ndarray:
    """Return the numbers of clips (n,) in random order, every group once before any comes again."""
    seen: dict[str, int] = {}
    keys = []
    for group in groups:
        rank_in_group = seen.get(group, 0)
        seen[group] = rank_in_group + 1
        keys.append(rank_in_group + rng.random())
    return np.argsort(keys)


def _draw_rooms(split: SpeechAndNoise, count: int, seed: int) -> list[int | None]:
    """Draw the room of each mixture, None for half of them.

    Every room comes before any comes again.
    """
    if split.rirs is None:
        return [None] * count
    rng = np.random.default_rng([seed, 5])
    is_in_room = rng.permutation(count) < round(IN_ROOMS * count)
    rooms = iter(np.resize(rng.permutation(len(split.rirs)), count).tolist())
    return [next(rooms) if in_room else None for in_room in is_in_room]


def _draw_babble(
    split: SpeechAndNoise, speech: list[int], seed: int, fraction: float
) -> list[tuple[Voice, ...]]:
    """Draw the voices of each mixture's babble, none where its noise is a clip."""
    rng = np.random.default_rng([seed, 6])
    pool = SpeakerPool(split.speech)
    is_babble = rng.permutation(len(speech)) < round(fraction * len(speech))

    drawn = []
    for clip, has_babble in zip(speech, is_babble, strict=True):
        drawn.append(pool.draw(clip, rng) if has_babble else ())
    return drawn


def mix(
    split: SpeechAndNoise, drawn: DrawnMixture, seconds: float = MAX_UTTERANCE_SECONDS
) -> NoisyUtterance:
    """Return a drawn mixture, at most ``seconds`` of it: ``noisy = clean + g * noise``.

    ``g = sqrt(P(clean) / P(noise) * 10^(-SNR / 10))``, P being the mean square.
    """
    samples = int(min(split.speech.lengths[drawn.speech], seconds * SAMPLE_RATE))
    clean = _speech(split, drawn, samples)
    noise = _noise(split, drawn, samples)
    power_ratio = power(clean) / max(power(noise), _LOWEST_POWER)
    gain = np.sqrt(power_ratio * _power_of_ten(-drawn.snr_db / 10))
    return NoisyUtterance(
        name=f"{split.speech.names[drawn.speech]}+{noise_name(split, drawn)}",
        snr_db=drawn.snr_db,
        category=BABBLE if drawn.babble else split.noise.groups[drawn.noise],
        noisy=clean + np.float32(gain) * noise,
        clean=clean,
        speaker=split.speech.speakers[drawn.speech],
    )


def noise_name(split: SpeechAndNoise, drawn: DrawnMixture) -> str:
    """Return the clip of the noise, or those of all voices of babble."""
    if drawn.babble:
        return ";".join(split.speech.names[voice.clip] for voice in drawn.babble)
    return split.noise.names[drawn.noise]


def _speech(split: SpeechAndNoise, drawn: DrawnMixture, samples: int) -> Float32Array:
    """Return the speech of a mixture, in its room.

    Integers are convolved, and the result is rounded: the error of an FFT is less than 0.5 on every
    machine, so that all have the same samples.
    """
    dry = split.speech.excerpt(drawn.speech, 0, samples)
    if drawn.room is None or split.rirs is None:
        return dry
    room = impulse_responses(split.rirs, [drawn.room])
    wet = np.rint(augmentation.convolve(_integers(dry[None]), _integers(room)))[0]
    gain = np.sqrt(power(dry) / max(power(wet), _LOWEST_POWER))
    return (wet * gain).astype(np.float32)


def _noise(split: SpeechAndNoise, drawn: DrawnMixture, samples: int) -> Float32Array:
    if drawn.babble:
        return mix_voices(split.speech, drawn.babble, samples)
    return _audible(split.noise, drawn.noise, drawn.start, samples)


def _audible(store: ClipStore, number: int, start: int, samples: int) -> Float32Array:
    """Return the excerpt from ``start``, or from the clip's loudest sample if that one is silent.

    Silence has no SNR.
    """
    excerpt = store.excerpt(number, start, samples)
    if np.sqrt(power(excerpt)) < SILENCE_RMS:
        clip = store.excerpt(number, 0, int(store.lengths[number]))
        loudest = int(np.abs(clip).argmax())
        excerpt = store.excerpt(number, loudest, samples)
    return excerpt


def _integers(samples: Float32Array) -> Float64Array:
    """Return samples as the integers that are stored, in float64."""
    return np.rint(samples.astype(np.float64) * FULL_SCALE)


def _power_of_ten(exponent: float) -> float:
    """Return ``10 ** exponent``, rounded by every machine in the same way; float powers are not."""
    return float(Decimal(10) ** Decimal(exponent))
