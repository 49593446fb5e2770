"""The shipped denoiser on quiet recordings and on a constant offset, with and without conditioning."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.shared.report import Case, Check, Report
from benchmarks.shared.sizes import SIZES
from benchmarks.shared.speech_data import data, describe
from tinyprune import pretrained
from tinyprune.audio.device import record_beside
from tinyprune.audio.streaming import StreamingFrontEnd
from tinyprune.data.speech import sweeps
from tinyprune.enhance.denoiser import Denoiser
from tinyprune.metrics.speech import si_sdr_db

LEVELS_DBFS = (-12, -26, -38, -44, -50, -56, -62)
BEST_DBFS = -26
OFFSET = 0.1
#: The largest loss below the best level, in dB.
LARGEST_LOSS_DB = 0.5
CONDITIONED = "conditioned"
AS_THEY_ARE = "samples as they are"


def measure(options: argparse.Namespace) -> Report:
    """Mean SI-SDR of dev mixtures per level of the clean speech, through the stream of enhance."""
    config = data(options)
    denoisers = {CONDITIONED: Denoiser(pretrained.denoiser()), AS_THEY_ARE: _unconditioned()}
    cases = []
    for way, denoiser in denoisers.items():
        mixtures = _mixtures(config, options.work)
        for level in LEVELS_DBFS:
            found = [_score(denoiser, clean, noisy, level, 0.0) for clean, noisy in mixtures]
            cases.append(Case(f"{way}, speech at {level} dBFS", "dB SI-SDR", [_mean(found)]))
        found = [_score(denoiser, clean, noisy, BEST_DBFS, OFFSET) for clean, noisy in mixtures]
        what = f"{way}, speech at {BEST_DBFS} dBFS, offset {OFFSET:g}"
        cases.append(Case(what, "dB SI-SDR", [_mean(found)]))
    conditioned = [case.median for case in cases[: len(LEVELS_DBFS)]]
    loss = max(conditioned) - min(conditioned)
    limit = None if options.smoke else LARGEST_LOSS_DB
    return Report(
        cases,
        [Check("conditioned: best level less worst level", loss, "dB", limit)],
        [describe(config), f"{SIZES.leveled_mixtures} mixtures at most, the same for all levels"],
    )


def _unconditioned() -> Denoiser:
    """Return the shipped network with the front end of before."""
    denoiser = Denoiser(pretrained.denoiser())
    record = record_beside(pretrained.denoiser())
    denoiser.front_end = StreamingFrontEnd(replace(record, dc_pole=0.0, usual_dbfs=None))
    return denoiser


def _mixtures(config: object, work: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return clean and noisy dev utterances with a clean RMS of 1."""
    from tinyprune.registry import DATASETS

    utterances = DATASETS[config.name](config, work / "levels").utterances("dev")
    mixtures = []
    for utterance in utterances[: SIZES.leveled_mixtures]:
        levelled = sweeps.at_level(utterance, 0.0)
        mixtures.append((levelled.clean, levelled.noisy))
    return mixtures


def _score(
    denoiser: Denoiser, clean: np.ndarray, noisy: np.ndarray, level_dbfs: float, offset: float
) -> float:
    """Return the SI-SDR of one utterance at a level, on top of an offset."""
    samples = noisy * 10 ** (level_dbfs / 20) + offset
    hop = denoiser.front_end.hop
    padded = np.pad(samples, (0, -len(samples) % hop + hop)).astype(np.float32)
    channel = denoiser.channels(1)[0]
    out = [channel.enhance(block) for block in padded.reshape(-1, hop)]
    return si_sdr_db(clean, np.concatenate(out[1:])[: len(clean)])


def _mean(values: list[float]) -> float:
    return float(np.mean(values))
