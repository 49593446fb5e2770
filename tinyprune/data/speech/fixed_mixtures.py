"""The fixed mixtures of a split: what each is made of is drawn first, its audio is read when it is mixed.

The same seed gives the same samples on every machine: nothing here depends on the order in which a
    machine adds up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.data.clips import FULL_SCALE, ClipStore, power
from tinyprune.data.speech import augmentation
from tinyprune.data.speech.babble import Talkers, Voices, babble
from tinyprune.data.speech.excerpts import IN_ROOMS, impulse_responses
from tinyprune.data.speech.mixing import SAMPLE_RATE, SILENCE_RMS, Mixture, Range, Split

MAX_UTTERANCE_SECONDS = 5.0
SNR_STEPS = 6
BABBLE = "babble"


@dataclass(frozen=True)
class Draw:
    """What a mixture is made of, as numbers of clips of a split.

    Attributes:
        speech: of its clip, from the beginning. snr_db: of the mixture. noise: of its clip. start:
            where that begins.
        room: of its impulse response. talkers: (clip, start) of each voice of babble, which then is
            the noise.
    """

    speech: int
    snr_db: float
    noise: int
    start: int
    room: int | None = None
    talkers: Voices = ()


def snr_steps(snr_db: Range) -> list[float]:
    """SNRs in equal steps over a range: six, or one where the range has no width."""
    return [float(snr) for snr in np.linspace(*snr_db, SNR_STEPS if snr_db[0] < snr_db[1] else 1)]


def draws(
    split: Split, snrs: Sequence[float], count: int, seed: int, babble_fraction: float = 0.0
) -> list[Draw]:
    """What ``count`` mixtures are made of: speech spread over its speakers, SNRs and noises going round.

    ``babble_fraction``: of them, those whose noise is other speakers. Half of them are in rooms, if
    the split has any.
    """
    rng = np.random.default_rng([seed, 2])
    order = np.argsort([rank + rng.random() for rank in ranks_in_group(split.speech.groups)])
    noises = np.concatenate(
        [rng.permutation(len(split.noise)) for _ in range(-(-count // len(split.noise)))]
    )
    speech = [int(order[number % len(order)]) for number in range(count)]
    starts = [int(rng.integers(split.noise.lengths[noise])) for noise in noises[:count]]
    rooms, talkers = _rooms(split, count, seed), _talkers(split, speech, seed, babble_fraction)
    return [
        Draw(speech[i], float(snrs[i % len(snrs)]), int(noises[i]), starts[i], rooms[i], talkers[i])
        for i in range(count)
    ]


def ranks_in_group(groups: list[str]) -> list[int]:
    """Of each clip, how many of its group come before it: sorted by it, every speaker comes before any comes again."""
    seen: dict[str, int] = {}
    ranks = []
    for group in groups:
        seen[group] = seen.get(group, -1) + 1
        ranks.append(seen[group])
    return ranks


def _rooms(split: Split, count: int, seed: int) -> list[int | None]:
    """The room of each mixture, None where it has none; every room is used before one is used again."""
    if split.rirs is None:
        return [None] * count
    rng = np.random.default_rng([seed, 5])
    chosen = rng.permutation(count) < round(IN_ROOMS * count)
    rooms = iter(np.resize(rng.permutation(len(split.rirs)), count).tolist())
    return [next(rooms) if is_in_room else None for is_in_room in chosen]


def _talkers(split: Split, speech: list[int], seed: int, fraction: float) -> list[Voices]:
    """The voices of each mixture's babble, none where its noise is something else."""
    rng, talkers = np.random.default_rng([seed, 6]), Talkers(split.speech)
    chosen = rng.permutation(len(speech)) < round(fraction * len(speech))
    return [
        talkers.draw(clip, rng) if is_babble else ()
        for clip, is_babble in zip(speech, chosen, strict=True)
    ]


def mixed(split: Split, draw: Draw, seconds: float = MAX_UTTERANCE_SECONDS) -> Mixture:
    """A mixture of at most ``seconds``: ``noisy = clean + g * noise``, with g such that its SNR is the wanted one.

    ``g = sqrt(P(clean) / P(noise) * 10^(-SNR / 10))``, P being the mean square.
    """
    samples = int(min(split.speech.lengths[draw.speech], seconds * SAMPLE_RATE))
    clean, noise = _speech(split, draw, samples), _noise(split, draw, samples)
    gain = np.sqrt(power(clean) / max(power(noise), 1e-12) * _power_of_ten(-draw.snr_db / 10))
    name, category = (
        f"{split.speech.names[draw.speech]}+{noise_name(split, draw)}",
        split.noise.groups[draw.noise],
    )
    return Mixture(
        name,
        draw.snr_db,
        BABBLE if draw.talkers else category,
        clean + np.float32(gain) * noise,
        clean,
        split.speech.speakers[draw.speech],
    )


def noise_name(split: Split, draw: Draw) -> str:
    """The clip of the noise, or those of all voices of babble."""
    return (
        ";".join(split.speech.names[clip] for clip, _ in draw.talkers)
        or split.noise.names[draw.noise]
    )


def _speech(split: Split, draw: Draw, samples: int) -> Float32Array:
    """The speech of a draw, in its room. Convolving integers is exact: no FFT is 0.5 off, and what it is off is cut."""
    dry = split.speech.excerpt(draw.speech, 0, samples)
    if draw.room is None or split.rirs is None:
        return dry
    room = impulse_responses(split.rirs, [draw.room])
    wet = np.rint(augmentation.convolve(_integers(dry[None]), _integers(room)))[0]
    return (wet * np.sqrt(power(dry) / max(power(wet), 1e-12))).astype(np.float32)


def _noise(split: Split, draw: Draw, samples: int) -> Float32Array:
    """The noise of a draw."""
    if draw.talkers:
        return babble(split.speech, draw.talkers, samples)
    return _audible(split.noise, draw.noise, draw.start, samples)


def _audible(store: ClipStore, number: int, start: int, samples: int) -> Float32Array:
    """The excerpt from ``start``, or from the clip's loudest sample if that one is silent and has no SNR."""
    excerpt = store.excerpt(number, start, samples)
    if np.sqrt(power(excerpt)) < SILENCE_RMS:
        loudest = int(np.abs(store.excerpt(number, 0, int(store.lengths[number]))).argmax())
        excerpt = store.excerpt(number, loudest, samples)
    return excerpt


def _integers(samples: Float32Array) -> np.ndarray:
    """Samples as the integers that are stored, in float64."""
    return np.rint(samples.astype(np.float64) * FULL_SCALE)


def _power_of_ten(exponent: float) -> float:
    """``10 ** exponent``, rounded in the same way by every machine, which floating-point powers are not."""
    return float(Decimal(10) ** Decimal(exponent))
