"""What a denoiser does to recordings of every kind, by mixtures of dev speakers: one record of means and worst cases."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.shared.speech_data import AS_RECORDED
from tinyprune.array_types import Float32Array
from tinyprune.audio import stft
from tinyprune.audio.device import frontend_of, record_beside
from tinyprune.audio.files import SAMPLE_RATE, list_audio, read_mono
from tinyprune.audio.frontend import smallest_gain
from tinyprune.audio.streaming import StreamingFrontEnd
from tinyprune.config import MixtureData
from tinyprune.data.speech import augmentation, mixture, rooms
from tinyprune.metrics.scoring import score_all
from tinyprune.metrics.speech import si_sdr_db
from tinyprune.storage.digests import sha256
from tinyprune.tflite.interpreter import Int8Model

LENGTH = 4 * SAMPLE_RATE
LEVEL_DBFS = -26.0
UTTERANCES = 20
SNRS_DB = (-5, 0, 5, 10, 15, 20, 30)
#: Recordings of each kind of noise, of dev and of test.
RECORDINGS = 2
TALKER_SNRS_DB = (-6, -3, 0, 3, 6, 9)
LEVELS_DBFS = (-10, -26, -45, -65)
QUALITY = ("si_sdr_db", "sdr_db", "stoi", "pesq_wb")
#: The mixtures of the test split of the paper's tables.
PAPER = {"snr_db": (-6.0, 9.0), "level_db": (-35.0, -15.0), "dev_utterances": 96}

Signals = list[Float32Array]


@dataclass(frozen=True)
class Record:
    """Figures of one network at one limit of attenuation; every one is in dB unless it says otherwise.

    Attributes:
        network: SHA-256 of the graph. limit_db: of attenuation; None: no limit.
        clean: kind of speech -> SI-SDR of what comes out against the clean speech that goes in, mean and worst.
        kinds: SNR -> kind of noise -> SI-SDR gained, mean of its utterances.
        levels: level in dBFS -> SI-SDR of noisy speech.
        talkers, talkers_noisy: metrics of mixtures with talkers and noise in rooms, after and before.
        test, test_noisy: metrics of the paper's test mixtures, after and before.
    """

    network: str
    limit_db: float | None
    clean: dict[str, tuple[float, float]]
    kinds: dict[str, dict[str, float]]
    levels: dict[str, float]
    talkers: dict[str, float]
    talkers_noisy: dict[str, float]
    test: dict[str, float]
    test_noisy: dict[str, float]


class Masks:
    """Masks of a network, made once and used at several limits of attenuation."""

    def __init__(self, network: Path, limits_db: list[float | None]) -> None:
        self.limits_db = limits_db
        self._network = Int8Model(network)
        self._front_end = StreamingFrontEnd(record_beside(network))
        self._spread = frontend_of(record_beside(network)).spread()

    def enhance(self, noisy: Float32Array) -> list[Float32Array]:
        """Return a signal (n,) enhanced as the stream does it, once per limit."""
        hop = self._front_end.hop
        hops = stft.pad(noisy, hop)[hop:].reshape(-1, hop)
        masks = np.stack([*self._masks(hops)])
        spectrum = stft.analyse(noisy)
        enhanced = []
        for limit_db in self.limits_db:
            limited = np.maximum(masks, smallest_gain(limit_db))
            enhanced.append(stft.synthesise(spectrum * (limited @ self._spread), len(noisy)))
        return enhanced

    def _masks(self, hops: Float32Array) -> Iterator[Float32Array]:
        self._network.reset()
        state = self._front_end.start()
        for samples in hops:
            yield self._network.step(self._front_end.analyse(state, samples)[None])[0]


def measure(
    network: Path, limits_db: list[float | None], speech: Path, noise: Path
) -> list[Record]:
    """Return a record per limit. ``speech``, ``noise``: folders with dev and test, as the paper's."""
    masks = Masks(network, limits_db)
    voices = utterances(speech / "dev")
    kinds = _kinds(masks, voices, noise)
    print("noises done", flush=True)
    clean = _clean(masks, voices)
    levels = _levels(masks, voices, noise)
    print("clean speech and levels done", flush=True)
    talkers_noisy, talkers = _scored(masks, talkers_in_rooms(voices, noise))
    print("talkers done", flush=True)
    test_noisy, test = _scored(masks, paper_mixtures(speech, noise))
    return [
        Record(
            sha256(network),
            limit_db,
            clean[number],
            kinds[number],
            levels[number],
            talkers[number],
            talkers_noisy,
            test[number],
            test_noisy,
        )
        for number, limit_db in enumerate(limits_db)
    ]


def utterances(folder: Path) -> Signals:
    """Return utterances of up to ``UTTERANCES`` speakers, longer than 2 s, at one level.

    They are without rumble.
    """
    by_speaker: dict[Path, list[Path]] = {}
    for path in sorted(list_audio(folder)):
        by_speaker.setdefault(path.parent, []).append(path)
    found: Signals = []
    for paths in by_speaker.values():
        samples = read_mono(paths[0])
        if len(samples) > 2 * SAMPLE_RATE and len(found) < UTTERANCES:
            samples = augmentation.without_rumble(samples[None, : 3 * LENGTH // 2])[0]
            found.append(_at_level(samples, LEVEL_DBFS))
    return found


def _at_level(samples: Float32Array, dbfs: float) -> Float32Array:
    return augmentation.at_level(samples[None], np.array([10 ** (dbfs / 20)]))[0]


# --- clean speech


def _faster(samples: Float32Array, factor: float) -> Float32Array:
    length = int(len(samples) / factor)
    return augmentation.change_speed(samples[None], np.array([factor]), length)[0]


def _louder(samples: Float32Array) -> Float32Array:
    """Return speech with the spectrum of effort: 4 dB per octave flatter."""
    frequencies = augmentation.bin_frequencies(len(samples))
    gains = 10 ** (augmentation.tilt_db(frequencies, np.array([4.0])) / 20)
    return _at_level(augmentation.filtered(samples[None], gains)[0], LEVEL_DBFS)


SPEAKING: dict[str, Callable[[Float32Array], Float32Array]] = {
    "as recorded": lambda samples: samples,
    "high pitch (1.3 times)": lambda samples: _faster(samples, 1.3),
    "loud (+4 dB per octave)": _louder,
    "high and loud": lambda samples: _louder(_faster(samples, 1.25)),
    "a child's (1.5 times)": lambda samples: _faster(samples, 1.5),
}


def _clean(masks: Masks, voices: Signals) -> list[dict[str, tuple[float, float]]]:
    found: list[dict[str, tuple[float, float]]] = [{} for _ in masks.limits_db]
    for name, spoken_as in SPEAKING.items():
        scores = []
        for voice in voices:
            spoken = spoken_as(voice)[:LENGTH]
            scores.append([si_sdr_db(spoken, after) for after in masks.enhance(spoken)])
        for number, values in enumerate(np.transpose(scores)):
            found[number][name] = (float(np.mean(values)), float(np.min(values)))
    return found


# --- noise


def mixed(clean: Float32Array, noise: Float32Array, snr_db: float) -> Float32Array:
    """Return speech (n,) in noise, which is repeated where it is shorter."""
    repeated = np.resize(noise, len(clean))
    power = max(float(np.mean(np.square(repeated))), 1e-10)
    gain = np.sqrt(np.mean(np.square(clean)) / power * 10 ** (-snr_db / 10))
    return (clean + gain * repeated).astype(np.float32)


def _kinds(masks: Masks, voices: Signals, noise: Path) -> list[dict[str, dict[str, float]]]:
    found: list[dict[str, dict[str, float]]] = [{} for _ in masks.limits_db]
    kinds = sorted(path.name for path in (noise / "dev").iterdir())
    for snr_db in SNRS_DB:
        # Each kind and each SNR begin with another speaker, so that none stands for many figures.
        for first, kind in enumerate(kinds, start=snr_db):
            recordings = _recordings(noise, kind)
            speakers = np.roll(np.arange(len(voices)), -first)
            gained = _gained(masks, [voices[n] for n in speakers], recordings, snr_db)
            for number, values in enumerate(np.transpose(gained)):
                found[number].setdefault(str(snr_db), {})[kind] = float(np.mean(values))
    return found


def _recordings(noise: Path, kind: str) -> list[Path]:
    """Return recordings of a kind of noise, of dev and of test, spread over the folder."""
    found: list[Path] = []
    for split in ("dev", "test"):
        paths = list_audio(noise / split / kind)
        found += paths[:: max(1, len(paths) // RECORDINGS)][:RECORDINGS]
    return found


def _gained(
    masks: Masks, voices: Signals, recordings: list[Path], snr_db: float
) -> list[list[float]]:
    """Return SI-SDR gained in each recording of noise, per limit; every fifth speaker speaks."""
    gained = []
    for number, recording in enumerate(recordings):
        clean = voices[5 * number % len(voices)][:LENGTH]
        noisy = mixed(clean, read_mono(recording), snr_db)
        before = si_sdr_db(clean, noisy)
        gained.append([si_sdr_db(clean, after) - before for after in masks.enhance(noisy)])
    return gained


def _levels(masks: Masks, voices: Signals, noise: Path) -> list[dict[str, float]]:
    """Return the SI-SDR of six utterances in rain at 5 dB, by their level."""
    rain = read_mono(list_audio(noise / "dev" / "rain")[0])
    found: list[dict[str, float]] = [{} for _ in masks.limits_db]
    for dbfs in LEVELS_DBFS:
        scores = []
        for voice in voices[:6]:
            clean = _at_level(voice[:LENGTH], dbfs)
            scores.append([si_sdr_db(clean, x) for x in masks.enhance(mixed(clean, rain, 5))])
        for number, values in enumerate(np.transpose(scores)):
            found[number][str(dbfs)] = float(np.mean(values))
    return found


# --- mixtures that are scored by every metric


def talkers_in_rooms(voices: Signals, noise: Path) -> Iterator[tuple[Float32Array, Float32Array]]:
    """Yield clean speech in a room, and with one to three talkers elsewhere in a room and noise."""
    responses = rooms.simulated(2 * UTTERANCES, 99)
    recordings = [list_audio(kind)[0] for kind in sorted((noise / "dev").iterdir())]
    for number, voice in enumerate(voices):
        clean = augmentation.reverberate(voice[None, :LENGTH], responses[number][None])[0]
        others = np.zeros_like(clean)
        for other in range(1 + number % 3):
            others += np.resize(voices[(number + 5 * other + 3) % len(voices)], len(clean))
        others = augmentation.reverberate(others[None], responses[number + UTTERANCES][None])[0]
        around = mixed(others, read_mono(recordings[number % len(recordings)]), 3)
        yield clean, mixed(clean, around, TALKER_SNRS_DB[number % len(TALKER_SNRS_DB)])


def paper_mixtures(speech: Path, noise: Path) -> Iterator[tuple[Float32Array, Float32Array]]:
    """Yield the clean and the noisy signals of the test split of the paper's tables."""
    places = {}
    for split, prefix in (("train", ""), ("dev", "dev_"), ("test", "test_")):
        places[f"{prefix}speech"] = str(speech / split)
        places[f"{prefix}noise"] = str(noise / split)
    with tempfile.TemporaryDirectory(prefix="tinyprune-") as folder:
        dataset = mixture.load(MixtureData(**places, **AS_RECORDED | PAPER), Path(folder))
        for item in dataset.utterances("test"):
            yield item.clean, item.noisy


def _scored(
    masks: Masks, mixtures: Iterator[tuple[Float32Array, Float32Array]]
) -> tuple[dict[str, float], list[dict[str, float]]]:
    """Return the mean metrics of mixtures as they are, and enhanced at each limit."""
    before = []
    after: list[list[tuple[Float32Array, Float32Array]]] = [[] for _ in masks.limits_db]
    for clean, noisy in mixtures:
        before.append((clean, noisy))
        for number, enhanced in enumerate(masks.enhance(noisy)):
            after[number].append((clean, enhanced))
    return _means(before), [_means(pairs) for pairs in after]


def _means(pairs: list[tuple[Float32Array, Float32Array]]) -> dict[str, float]:
    scores = [*score_all(iter(pairs), QUALITY, len(pairs))]
    return {
        name: float(np.mean([score[name] for score in scores if name in score])) for name in QUALITY
    }
