"""Conditions that a denoiser is measured under: the same utterances, changed in one way at a time.

A sweep is a list of conditions. To add one, write its conditions here and name it in SWEEPS.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from tinyprune.array_types import Float32Array, Float64Array
from tinyprune.data.clips import power
from tinyprune.data.speech import augmentation, rooms
from tinyprune.data.speech.mixing import NoisyUtterance
from tinyprune.errors import UsageError, check_name

log = logging.getLogger(__name__)
ALL = "all"
LEVELS_DBFS = (-10.0, -20.0, -30.0, -40.0, -50.0, -60.0, -65.0)
SNRS_DB = (-5.0, 0.0, 5.0, 10.0, 15.0, 20.0)
#: Name of a band -> its ends in Hz.
BANDS_HZ = {"telephone 0.3-3.4 kHz": (300.0, 3400.0), "up to 4 kHz": (0.0, 4000.0)}
CLIPPED_DB = (6.0, 12.0)
#: Seconds until a sound is 60 dB down in simulated rooms, and how many rooms there are of each.
DECAYS_S = (0.3, 0.6)
ROOMS = 4
#: Playing speech so much faster raises its pitch by four semitones, slower lowers it.
HIGH_PITCH, LOW_PITCH = 1.26, 0.79
#: Vocal effort: spectral tilt in dB per octave, and level in dBFS. Shouting is flatter.
LOUD = (3.0, -10.0)
SOFT = (-3.0, -50.0)
_SEED = 0
_SILENT_POWER = 1e-12

Change = Callable[[int, NoisyUtterance], NoisyUtterance]
ChangeOfSpeech = Callable[[int, Float32Array], Float32Array]


@dataclass(frozen=True)
class Condition:
    """One condition of a sweep.

    Attributes:
        sweep: name in SWEEPS. label: in tables.
        change: what it does to an utterance, of its number.
        has_noise: False where the input is clean, so that the output should be the input.
        needs_noise: whether it changes the noise, so that recordings without any say nothing.
    """

    sweep: str
    label: str
    change: Change
    has_noise: bool = True
    needs_noise: bool = False

    def changes(self, utterance: NoisyUtterance) -> bool:
        """Return whether it says anything about an utterance."""
        return not self.needs_noise or _has_noise(utterance)

    def utterances(self, recorded: Sequence[NoisyUtterance]) -> list[NoisyUtterance]:
        """Return the utterances under this condition, without those that it says nothing about.

        Their samples may exceed a full scale of 1.
        """
        changed = []
        for number, utterance in enumerate(recorded):
            if self.changes(utterance):
                changed.append(self.change(number, utterance))
        return changed


def conditions(names: Sequence[str]) -> list[Condition]:
    """Return the conditions of sweeps, in the order of SWEEPS.

    "all" means every one; without the package for rooms it leaves them out and says so. Raises
    UsageError for a name that does not exist, and for rooms by name that cannot be simulated.
    """
    for name in names:
        check_name("sweep", name, (*SWEEPS, ALL))
    found = []
    for name, of_sweep in SWEEPS.items():
        if name in names:
            found += of_sweep()
        elif ALL in names:
            found += _if_possible(name)
    return found


def _if_possible(name: str) -> list[Condition]:
    """Return the conditions of a sweep, none where a package is missing."""
    try:
        return SWEEPS[name]()
    except UsageError as error:
        log.warning("--sweep %s is left out: %s", name, error)
        return []


def chosen(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the names in texts such as "level,snr", each once."""
    names: dict[str, None] = {}
    for text in texts:
        names |= dict.fromkeys(part.strip() for part in text.split(",") if part.strip())
    return tuple(names)


# --- sweeps


def _level() -> list[Condition]:
    """Return the same pairs with speech at other levels."""
    found = []
    for level_dbfs in LEVELS_DBFS:
        change = partial(_speech_at, level_dbfs)
        found.append(Condition("level", f"{level_dbfs:g} dBFS", change))
    return found


def _snr() -> list[Condition]:
    """Return the same pairs with their noise at other levels."""
    found = []
    for snr_db in SNRS_DB:
        change = partial(_noise_at, snr_db)
        found.append(Condition("snr", f"{snr_db:g} dB", change, needs_noise=True))
    return found


def _clean() -> list[Condition]:
    """Return the speech alone: as it is, at other pitches and speeds, and of other efforts."""
    changes: dict[str, ChangeOfSpeech] = {
        "as it is": _as_it_is,
        f"high and fast, x {HIGH_PITCH:g}": partial(_played, HIGH_PITCH),
        f"low and slow, x {LOW_PITCH:g}": partial(_played, LOW_PITCH),
        f"loud, {LOUD[0]:+g} dB/octave": partial(_of_effort, *LOUD),
        f"soft, {SOFT[0]:+g} dB/octave": partial(_of_effort, *SOFT),
    }
    found = []
    for label, change in changes.items():
        found.append(Condition("clean", label, partial(_alone, change), has_noise=False))
    return found


def _band() -> list[Condition]:
    """Return the same pairs through a band, and clipped."""
    found = []
    for label, ends_hz in BANDS_HZ.items():
        found.append(Condition("band", label, partial(_in_band, ends_hz)))
    for over_db in CLIPPED_DB:
        found.append(Condition("band", f"clipped by {over_db:g} dB", partial(_clipped, over_db)))
    return found


def _room() -> list[Condition]:
    """Return speech in simulated rooms, with its noise and alone; the rooms stay in the output.

    Raises UsageError where rooms cannot be simulated.
    """
    rooms.check_available()
    found = []
    for decay_s in DECAYS_S:
        responses = _responses(decay_s)
        label = f"decay {decay_s:g} s"
        found.append(Condition("room", label, partial(_in_room, responses)))
        alone = partial(_alone, partial(_reverberated, responses))
        found.append(Condition("room", f"{label}, no noise", alone, has_noise=False))
    return found


#: Name -> the function that returns its conditions.
SWEEPS: dict[str, Callable[[], list[Condition]]] = {
    "level": _level,
    "snr": _snr,
    "clean": _clean,
    "band": _band,
    "room": _room,
}


# --- changes of pairs


def _speech_at(level_dbfs: float, number: int, utterance: NoisyUtterance) -> NoisyUtterance:
    """Return a pair whose speech has a level, in dB relative to full scale."""
    del number
    return at_level(utterance, level_dbfs)


def at_level(utterance: NoisyUtterance, level_dbfs: float) -> NoisyUtterance:
    """Return a pair with the RMS of its speech at a level; the SNR stays."""
    rms = max(np.sqrt(power(utterance.clean)), np.sqrt(_SILENT_POWER))
    gain = np.float32(10 ** (level_dbfs / 20) / rms)
    return replace(utterance, noisy=utterance.noisy * gain, clean=utterance.clean * gain)


def _noise_at(snr_db: float, number: int, utterance: NoisyUtterance) -> NoisyUtterance:
    """Return a pair with another SNR: ``clean + g * (noisy - clean)``, clean without rumble."""
    del number
    noise = utterance.noisy - utterance.clean
    clean = _without_rumble(utterance.clean)
    gain = np.sqrt(power(clean) / power(noise) * 10 ** (-snr_db / 10))
    return replace(utterance, noisy=clean + np.float32(gain) * noise, clean=clean, snr_db=snr_db)


def _in_band(
    ends_hz: tuple[float, float], number: int, utterance: NoisyUtterance
) -> NoisyUtterance:
    """Return a pair through a band. What is outside of it nobody can bring back."""
    del number
    both = np.stack([utterance.noisy, utterance.clean])
    noisy, clean = augmentation.band_limited(both, *ends_hz)
    return replace(utterance, noisy=noisy, clean=clean)


def _clipped(over_db: float, number: int, utterance: NoisyUtterance) -> NoisyUtterance:
    """Return a pair whose noisy recording is cut off below its peak; its speech is not."""
    del number
    noisy = augmentation.clipped(utterance.noisy[None], np.array([over_db]))[0]
    return replace(utterance, noisy=noisy)


def _in_room(
    responses: Sequence[Float32Array], number: int, utterance: NoisyUtterance
) -> NoisyUtterance:
    """Return a pair with its speech in a room; the noise stays."""
    noise = utterance.noisy - utterance.clean
    clean = _reverberated(responses, number, utterance.clean)
    return replace(utterance, noisy=clean + noise, clean=clean)


def _has_noise(utterance: NoisyUtterance) -> bool:
    return power(utterance.noisy - utterance.clean) > _SILENT_POWER


# --- changes of speech


def _alone(change: ChangeOfSpeech, number: int, utterance: NoisyUtterance) -> NoisyUtterance:
    """Return the speech of a pair, changed, as both what goes in and what should come out.

    Its rumble is taken away first: to remove it is no harm.
    """
    speech = change(number, _without_rumble(utterance.clean))
    return replace(utterance, noisy=speech, clean=speech)


def _without_rumble(speech: Float32Array) -> Float32Array:
    return augmentation.without_rumble(speech[None])[0]


def _as_it_is(number: int, speech: Float32Array) -> Float32Array:
    del number
    return speech


def _played(factor: float, number: int, speech: Float32Array) -> Float32Array:
    """Return speech (n,) played faster, (n / factor,)."""
    del number
    samples = int(len(speech) / factor)
    return augmentation.change_speed(speech[None], np.array([factor]), samples)[0]


def _of_effort(
    db_per_octave: float, level_dbfs: float, number: int, speech: Float32Array
) -> Float32Array:
    """Return speech (n,) of another vocal effort: tilted, at a level in dBFS."""
    del number
    frequencies = augmentation.bin_frequencies(len(speech))
    gains: Float64Array = 10 ** (augmentation.tilt_db(frequencies, np.array([db_per_octave])) / 20)
    tilted = augmentation.filtered(speech[None], gains)
    return augmentation.at_level(tilted, np.array([10 ** (level_dbfs / 20)]))[0]


def _reverberated(
    responses: Sequence[Float32Array], number: int, speech: Float32Array
) -> Float32Array:
    """Return speech (n,) in one of the rooms, at the level that it had."""
    response = responses[number % len(responses)]
    return augmentation.reverberate(speech[None], response[None])[0]


def _responses(decay_s: float) -> list[Float32Array]:
    """Return the impulse responses of rooms of one decay."""
    rng = np.random.default_rng([_SEED, 7])
    drawn = [replace(rooms.draw(rng), decay_s=decay_s) for _ in range(ROOMS)]
    return [rooms.response(room) for room in drawn]
