"""Synthetic noise in four categories, equally often: coloured, modulated, tonal, and babble.

Every generator of a category is a function ``(rng, count) -> samples`` of any level; clips bring
them to their level. The order of the draws from ``rng`` decides the bytes that a seed gives.
"""

import functools
import math
from collections.abc import Callable, Iterator

import numpy as np

from tinyprune.array_types import Float32Array
from tinyprune.audio.files import SAMPLE_RATE
from tinyprune.data.clips import Clip
from tinyprune.data.synthetic import espeak, voices
from tinyprune.data.synthetic.channel import channel
from tinyprune.data.synthetic.common import at_level, check, generator, stream

SHORTEST_SECONDS = 5.0
LONGEST_SECONDS = 12.0
LEVEL_DB = (-36.0, -18.0)
CATEGORIES = ("coloured", "modulated", "tonal", "babble")

_LOWEST_HZ = 20.0
_TABLE = 4096

#: ``(rng, count) -> samples (count,)``
Recipe = Callable[[np.random.Generator, int], np.ndarray]


def clips(split: str, minutes: float, seed: int) -> Iterator[Clip]:
    """Yield noise clips of 5 to 12 s; with more minutes the first ones stay the same.

    Args:
        split: "train", "dev" or "test"; they share the recipes, not the random numbers nor the
            babbling voices.
        minutes: length of the noise; the last clip may pass it.
        seed: of everything random.

    Raises:
        UsageError: no such split or seed.
        TinypruneError: espeak-ng, which babble needs, is missing.
    """
    check(split, seed)
    return stream(functools.partial(_clip, split, seed), minutes)


def _clip(split: str, seed: int, index: int) -> Clip:
    rng = generator("noise", split, seed, index)
    category = CATEGORIES[index % len(CATEGORIES)]
    count = round(rng.uniform(SHORTEST_SECONDS, LONGEST_SECONDS) * SAMPLE_RATE)
    if category == "babble":
        kind = "babble"
        samples: np.ndarray = babble(split, rng, count)
    else:
        names = list(RECIPES[category])
        kind = names[rng.integers(len(names))]
        samples = RECIPES[category][kind](rng, count)
    levelled = at_level(samples, rng.uniform(*LEVEL_DB))
    return Clip(f"noise-{split}-{index:05d}-{kind}", category, levelled)


# --- coloured


def coloured(slope: float, rng: np.random.Generator, count: int) -> np.ndarray:
    """Return noise whose power goes with frequency to the ``slope``.

    0 is white, -1 pink, -2 brown, 1 blue.
    """
    return _shaped(rng, count, lambda hz: hz ** (slope / 2))


def tilted(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return noise with a random slope and a random bump or dip: a room, a fan, a far street."""
    slope = rng.uniform(-2.2, 0.6)
    centre = rng.uniform(math.log(100), math.log(6000))
    width = rng.uniform(0.2, 1.0)
    height = rng.uniform(-1.0, 1.6)

    def gain(hz: np.ndarray) -> np.ndarray:
        bump = np.exp(-(((np.log(hz) - centre) / width) ** 2))
        return hz ** (slope / 2) * np.exp(height * bump)

    return _shaped(rng, count, gain)


def _shaped(
    rng: np.random.Generator, count: int, gain: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Return Gaussian noise of RMS 1, shaped by ``gain``.

    Its amplitude at a frequency in Hz, 20 and above, is in proportion to ``gain`` of it.
    """
    from scipy import fft

    size = fft.next_fast_len(count, real=True)
    hz = fft.rfftfreq(size, 1 / SAMPLE_RATE)
    start = int(np.searchsorted(hz, _LOWEST_HZ))
    spectrum = np.zeros(len(hz), np.complex128)
    white = rng.standard_normal((len(hz) - start, 2)).view(np.complex128)[:, 0]
    spectrum[start:] = white * gain(hz[start:])
    samples = fft.irfft(spectrum, size)[:count]
    return samples / np.sqrt(np.mean(samples**2))


# --- modulated


def swelling(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return noise that comes and goes within fractions of a second to seconds: traffic, waves."""
    noise = tilted(rng, count)
    depth = rng.uniform(0.4, 1.2)
    return noise * np.exp(depth * _wander(rng, count, rng.uniform(0.5, 6)))


def bursts(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return decaying bursts over a quiet floor: keyboard, rain drops, dishes."""
    from scipy import signal

    decay = math.exp(-1 / (SAMPLE_RATE * rng.uniform(0.004, 0.08)))
    envelope = signal.lfilter([1.0], [1.0, -decay], _hits(rng, count, rng.uniform(2, 25)))
    burst = tilted(rng, count) * envelope
    floor_gain = 10 ** (-rng.uniform(20, 40) / 20)
    return burst + floor_gain * tilted(rng, count)


def knocks(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return a struck body that rings in three modes, again and again: steps, hammering.

    It is over a quiet floor.
    """
    from scipy import signal

    time = np.arange(SAMPLE_RATE // 3) / SAMPLE_RATE
    frequencies = rng.uniform(80, 2500, 3)
    dampings = rng.uniform(8, 80, 3)
    levels = rng.uniform(0.3, 1, 3)
    ring = np.zeros(len(time))
    for hz, damping, level in zip(frequencies, dampings, levels, strict=True):
        ring += level * np.exp(-damping * time) * np.sin(2 * np.pi * hz * time)

    struck = signal.oaconvolve(_hits(rng, count, rng.uniform(0.8, 5)), ring)[:count]
    floor_gain = 10 ** (-rng.uniform(25, 45) / 20)
    return struck + floor_gain * tilted(rng, count)


def wind(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return low noise in gusts with a whistling band that follows them."""
    gust = np.exp(rng.uniform(0.5, 1.0) * _wander(rng, count, rng.uniform(0.4, 1.5)))
    flutter = 1 + 0.4 * _wander(rng, count, rng.uniform(8, 25))
    centre = rng.uniform(400, 1500)
    whistle = _shaped(rng, count, lambda hz: np.exp(-((np.log(hz / centre) / 0.25) ** 2)))
    low_noise = coloured(rng.uniform(-3, -2), rng, count)
    return low_noise * gust * flutter + rng.uniform(0, 0.15) * whistle * gust**2


def _hits(rng: np.random.Generator, count: int, per_second: float) -> np.ndarray:
    """Return impulses at random times with random strengths; the first is within a second."""
    number = 1 + rng.poisson(per_second * count / SAMPLE_RATE)
    times = rng.integers(count, size=number)
    times[0] = rng.integers(SAMPLE_RATE)
    impulses = np.zeros(count)
    impulses[times] = rng.lognormal(0, 0.6, number)
    return impulses


def _wander(rng: np.random.Generator, count: int, per_second: float) -> np.ndarray:
    """Return a curve that passes a new standard normal value so many times per second."""
    points = math.ceil(count / SAMPLE_RATE * per_second) + 2
    positions = np.arange(count) * (per_second / SAMPLE_RATE)
    return np.interp(positions, np.arange(points), rng.standard_normal(points))


# --- tonal


def hum(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return mains hum at 50 or 60 Hz with harmonics."""
    hz = rng.choice([50.0, 60.0]) * rng.uniform(0.995, 1.005)
    tone = _tone(rng, np.full(count, hz), harmonics=30, rolloff=rng.uniform(0.5, 1.5))
    return _over_floor(rng, tone)


def siren(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return a tone that sweeps up and down, or up and back at once, over one octave or two."""
    from scipy import signal

    time = np.arange(count) / SAMPLE_RATE
    shape = signal.sawtooth(2 * np.pi * rng.uniform(0.1, 1.5) * time, width=rng.choice([0.5, 1.0]))
    hz = rng.uniform(250, 1200) * 2 ** (rng.uniform(0.3, 1) * shape)
    return _over_floor(rng, _tone(rng, hz, harmonics=3, rolloff=2.0))


def beeps(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return a tone of fixed pitch, switched on and off regularly with soft edges."""
    on = rng.uniform(0.05, 0.5)
    off = rng.uniform(0.1, 1.0)
    position = (np.arange(count) / SAMPLE_RATE + rng.uniform(0, on)) % (on + off)
    gate = np.clip(np.minimum(position, on - position) / 0.005, 0, 1)
    tone = _tone(rng, np.full(count, rng.uniform(400, 2500)), harmonics=3, rolloff=2.0)
    return _over_floor(rng, tone * gate)


def engine(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return a motor whose speed wanders: harmonics of the firing rate, and pulsing noise."""
    rpm = rng.uniform(700, 4000) * np.exp(0.15 * _wander(rng, count, rng.uniform(0.2, 1)))
    hz = rpm / 60 * rng.integers(1, 5)
    pulse = _tone(rng, hz, harmonics=24, rolloff=rng.uniform(0.6, 1.4))
    noise = rng.uniform(0.1, 0.6) * tilted(rng, count)
    return pulse + noise * (1 + 0.5 * np.clip(pulse, -2, 2))


def _tone(rng: np.random.Generator, hz: np.ndarray, harmonics: int, rolloff: float) -> np.ndarray:
    """Return a harmonic tone of RMS 1 and changing frequency ``hz`` (count,), shape (count,).

    It is read from a table of one period.
    """
    order = np.arange(1, min(harmonics, int(7500 // hz.max())) + 1)
    strength = order**-rolloff * rng.uniform(0.2, 1, len(order))
    start = rng.uniform(0, 2 * np.pi, len(order))
    angles = 2 * np.pi * np.outer(np.arange(_TABLE) / _TABLE, order)
    table = np.sin(angles + start) @ strength

    phase = np.cumsum(hz / SAMPLE_RATE)
    rows = (phase * _TABLE).astype(np.int64) % _TABLE
    return table[rows] / np.sqrt(np.mean(table**2))


def _over_floor(rng: np.random.Generator, tone: np.ndarray) -> np.ndarray:
    """Return a tone with noise 10 to 35 dB below it: no recording has perfect silence."""
    level = float(np.sqrt(np.mean(tone**2))) * 10 ** (-rng.uniform(10, 35) / 20)
    return tone + level * tilted(rng, len(tone))


# --- babble


def babble(split: str, rng: np.random.Generator, count: int) -> Float32Array:
    """Return three to seven voices of a split at once.

    They say sentences that the speech clips never say.
    """
    import soxr

    spoken_samples = math.ceil(count * espeak.SAMPLE_RATE / SAMPLE_RATE * 1.05)
    crowd = np.zeros(spoken_samples, np.float32)
    for _ in range(rng.integers(3, 8)):
        crowd += rng.uniform(0.3, 1) * _endless_voice(rng, split, spoken_samples)
    return channel(soxr.resample(crowd, espeak.SAMPLE_RATE, SAMPLE_RATE)[:count], rng)


def _endless_voice(rng: np.random.Generator, split: str, count: int) -> Float32Array:
    """Return one voice that speaks all the time and starts in mid-sentence.

    It is float32, shape (count,), at espeak-ng's rate.
    """
    speaker = voices.any_speaker(rng, split)
    said = np.zeros(0, np.float32)
    while len(said) < count:
        said = np.concatenate([said, voices.say(rng, speaker, split, "babble")])
    said = np.roll(said, rng.integers(len(said)))[:count]
    return said / np.sqrt(np.mean(said**2))


#: Category -> name -> recipe. The order of the names decides which one a seed draws.
RECIPES: dict[str, dict[str, Recipe]] = {
    "coloured": {
        "white": functools.partial(coloured, 0.0),
        "pink": functools.partial(coloured, -1.0),
        "brown": functools.partial(coloured, -2.0),
        "blue": functools.partial(coloured, 1.0),
        "tilted": tilted,
    },
    "modulated": {"swelling": swelling, "bursts": bursts, "knocks": knocks, "wind": wind},
    "tonal": {"hum": hum, "siren": siren, "beeps": beeps, "engine": engine},
}
