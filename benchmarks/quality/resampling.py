"""Pipes of other rates than the network's: latency, and what the short filter does to tones and speech."""

import argparse
from collections.abc import Callable

import numpy as np

from benchmarks.shared.report import Case, Check, Report
from benchmarks.shared.sizes import SIZES
from benchmarks.shared.speech_data import data, describe
from tinyprune import pretrained
from tinyprune.audio.resampling import LowLatencyResampler
from tinyprune.enhance.denoiser import Denoiser
from tinyprune.enhance.signal import SignalStream
from tinyprune.metrics.perceptual import pesq_nb, pesq_wb
from tinyprune.metrics.speech import si_sdr_db

OWN = 16_000
RATES = (8000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000)
#: The rates that speech is enhanced at.
SPEECH_RATES = (8000, 44_100, 48_000)
LARGEST_LATENCY_MS = 40.0
LARGEST_PESQ_LOSS = 0.02
LARGEST_RIPPLE_DB = 0.01
LEAST_REJECTION_DB = 75.0
TONE_SECONDS = 0.25
EDGE_SECONDS = 0.02
TONES = SIZES.tones


def measure(options: argparse.Namespace) -> Report:
    """Latency, ripple and rejection at every rate; SI-SDR and PESQ beside soxr's long filter."""
    denoiser = Denoiser(pretrained.denoiser())
    cases = []
    checks = []
    for rate in RATES[: SIZES.rates or None]:
        latency = _latency_ms(denoiser, rate)
        cases.append(Case(f"{rate} Hz: largest latency, all of it", "ms", [latency]))
        cases.append(Case(f"{rate} Hz: passband ripple, both ways", "dB", [_ripple_db(rate)]))
        cases.append(Case(f"{rate} Hz: least rejection of aliases", "dB", [_rejection_db(rate)]))
        checks.append(Check(f"{rate} Hz: largest latency", latency, "ms", LARGEST_LATENCY_MS))
    checks.append(_worst(cases, "ripple", max, LARGEST_RIPPLE_DB, at_least=False))
    checks.append(_worst(cases, "rejection", min, LEAST_REJECTION_DB, at_least=True))
    config = data(options)
    mixtures = _mixtures(config, options)
    for rate in SPEECH_RATES[: SIZES.rates or None]:
        speech_cases, loss = _speech(denoiser, rate, mixtures)
        cases += speech_cases
        limit = None if options.smoke else LARGEST_PESQ_LOSS
        checks.append(Check(f"{rate} Hz: PESQ, long filter less short one", loss, "", limit))
    notes = [
        describe(config),
        f"{len(mixtures)} mixtures of speech. Latency: sample by sample, the most that has gone in "
        "and not come out, through the whole of enhance.",
        "PESQ is narrow-band at 8000 Hz and wide-band elsewhere; means over the mixtures.",
    ]
    return Report(cases, checks, notes)


def _worst(
    cases: list[Case], word: str, worst: Callable[..., float], limit: float, at_least: bool
) -> Check:
    values = [case.median for case in cases if word in case.what]
    return Check(f"worst {word} of all rates", worst(values), "dB", limit, at_least)


def _latency_ms(denoiser: Denoiser, rate: int) -> float:
    stream = SignalStream(denoiser, rate, 1, is_live=True)
    samples = rate // 8
    made = np.cumsum([len(stream.push(np.zeros((1, 1), np.float32))) for _ in range(samples)])
    return 1000 * float((np.arange(1, samples + 1) - made).max()) / rate


# --- tones


def _ripple_db(rate: int) -> float:
    """Return the largest deviation of a tone's amplitude, in both directions of resampling."""
    deviations = []
    for source, target in ((rate, OWN), (OWN, rate)):
        highest = LowLatencyResampler(source, target, 1).passband_hz
        for frequency in np.linspace(50, highest, TONES):
            made = _resampled(_tone(frequency, source), source, target)
            (amplitude,) = _amplitudes_db(made, target, [frequency])
            deviations.append(abs(amplitude))
    return max(deviations)


def _rejection_db(rate: int) -> float:
    """Return the least attenuation of what the lower rate cannot hold.

    Going down these are tones above half of the target, wherever they come out; going up the image
    of each tone.
    """
    low, high = sorted((rate, OWN))
    down = []
    for frequency in np.linspace(low / 2, high / 2, TONES, endpoint=False):
        made = _inside(_resampled(_tone(frequency + 1, high), high, low), low)
        down.append(-_db(np.sqrt(2) * made.std()))
    up = []
    for frequency in np.linspace(max(50, low - high / 2 + 1), low / 2 - 1, TONES):
        made = _resampled(_tone(frequency, low), low, high)
        _, image = _amplitudes_db(made, high, [frequency, low - frequency])
        up.append(-image)
    return min(*down, *up)


def _amplitudes_db(signal: np.ndarray, rate: int, frequencies: list[float]) -> list[float]:
    """Return the amplitudes of the tones of these frequencies in a signal."""
    inside = _inside(signal, rate).astype(np.float64)
    times = np.arange(len(inside)) / rate
    waves = []
    for frequency in frequencies:
        turns = 2 * np.pi * frequency * times
        waves += [np.sin(turns), np.cos(turns)]
    found, *_ = np.linalg.lstsq(np.stack(waves, axis=1), inside, rcond=None)
    return [_db(float(np.hypot(*pair))) for pair in found.reshape(-1, 2)]


def _tone(frequency: float, rate: int) -> np.ndarray:
    times = np.arange(int(TONE_SECONDS * rate)) / rate
    return np.sin(2 * np.pi * frequency * times).astype(np.float32)


def _resampled(signal: np.ndarray, source: int, target: int) -> np.ndarray:
    return LowLatencyResampler(source, target, 1)(signal[:, None], last=True)[:, 0]


def _inside(signal: np.ndarray, rate: int) -> np.ndarray:
    margin = int(EDGE_SECONDS * rate)
    return signal[margin:-margin]


def _db(amplitude: float) -> float:
    return 20 * float(np.log10(max(amplitude, 1e-12)))


# --- speech


def _mixtures(config: object, options: argparse.Namespace) -> list[tuple[np.ndarray, np.ndarray]]:
    from tinyprune.registry import DATASETS

    utterances = DATASETS[config.name](config, options.work / "resampling").utterances("dev")
    chosen = utterances[: SIZES.leveled_mixtures]
    return [(utterance.clean, utterance.noisy) for utterance in chosen]


def _speech(
    denoiser: Denoiser, rate: int, mixtures: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[list[Case], float]:
    """Return the cases of one rate, and what PESQ loses by the short filter."""
    pesq = pesq_nb if rate < OWN else pesq_wb
    si_sdr: dict[bool, list[float]] = {True: [], False: []}
    scores: dict[bool, list[float]] = {True: [], False: []}
    distances = []
    for clean, noisy in mixtures:
        reference = _through(clean, rate)
        made = {is_live: _enhanced(denoiser, noisy, rate, is_live) for is_live in (True, False)}
        distances.append(si_sdr_db(made[False], made[True]))
        for is_live, signal in made.items():
            si_sdr[is_live].append(si_sdr_db(reference, signal))
            scores[is_live].append(pesq(reference, signal))
    cases = [Case(f"{rate} Hz: short filter against long one", "dB SI-SDR", distances)]
    for is_live, name in ((True, "short filter"), (False, "soxr's")):
        cases.append(Case(f"{rate} Hz, {name}: against clean speech", "dB SI-SDR", si_sdr[is_live]))
        cases.append(Case(f"{rate} Hz, {name}: PESQ", "", scores[is_live]))
    return cases, float(np.nanmean(scores[False]) - np.nanmean(scores[True]))


def _enhanced(denoiser: Denoiser, noisy: np.ndarray, rate: int, is_live: bool) -> np.ndarray:
    """Return what enhance makes of a recording of this rate, brought to the network's rate."""
    import soxr

    recorded = soxr.resample(noisy, OWN, rate, "VHQ").astype(np.float32)
    stream = SignalStream(denoiser, rate, 1, is_live)
    made = np.concatenate([stream.push(recorded[:, None]), stream.finish()])[:, 0]
    return _same_length(soxr.resample(made, rate, OWN, "VHQ"), len(noisy))


def _through(clean: np.ndarray, rate: int) -> np.ndarray:
    """Return the clean speech as far as the rate can hold it."""
    import soxr

    recorded = soxr.resample(clean, OWN, rate, "VHQ")
    return _same_length(soxr.resample(recorded, rate, OWN, "VHQ"), len(clean))


def _same_length(signal: np.ndarray, samples: int) -> np.ndarray:
    missing = max(0, samples - len(signal))
    return np.pad(signal[:samples], (0, missing)).astype(np.float32)
