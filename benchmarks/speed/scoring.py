"""SI-SDR, SDR and STOI of 824 files of 2.5 s on two cores: all cores beside a plain loop over the same libraries."""

import argparse
import os
from collections.abc import Iterator

import numpy as np

from benchmarks.shared.report import Case, Check, Report
from benchmarks.shared.sizes import SIZES
from benchmarks.shared.timing import ratio, repeats, take_turns, timed

FILES, SECONDS, RATE, LIMIT = SIZES.scored_files, 2.5, 16_000, 60.0
METRICS = ("si_sdr_db", "sdr_db", "stoi")
OURS, PLAIN, ONE = (
    "on all cores, processes started anew",
    "plain loop, libraries as they come",
    "in one process",
)


def measure(options: argparse.Namespace) -> Report:
    """Seconds for all files, from arrays in memory to numbers, the start of processes included."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    from tinyprune.metrics import scoring

    def anew() -> list[dict[str, float]]:
        scoring._executor(2).shutdown()
        return list(scoring.score_all(_pairs(), METRICS, FILES))

    for ours, plain in zip(scoring._in_this_process(_pairs(8), METRICS), _plain(8), strict=True):
        np.testing.assert_allclose([ours[name] for name in METRICS], plain, atol=1e-3)
    ways = {
        OURS: anew,
        ONE: lambda: list(scoring._in_this_process(_pairs(), METRICS)),
        PLAIN: lambda: list(_plain()),
    }
    seconds = take_turns({what: timed(way) for what, way in ways.items()}, repeats(options, 3, 1))
    cases = [Case(what, "s", samples) for what, samples in seconds.items()]
    return Report(
        cases,
        [
            Check(f"{FILES} files of {SECONDS:g} s", cases[0].median, "s", LIMIT),
            Check("plain loop / all cores", ratio(seconds[PLAIN], seconds[OURS])),
            Check("plain loop / one process", ratio(seconds[PLAIN], seconds[ONE])),
        ],
        ["Checked: the same numbers to 1e-3. The plain loop lets linear algebra have both cores."],
    )


def _pairs(count: int = FILES) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(clean, estimate) of modulated noise, each other numbers."""
    samples = int(SECONDS * RATE)
    envelope = 0.6 + 0.4 * np.sin(np.arange(samples) * (2 * np.pi * 4 / RATE))
    for seed in range(count):
        clean, noise = np.random.default_rng(seed).normal(0, 0.1, (2, samples))
        yield (
            (envelope * clean).astype(np.float32),
            (envelope * clean + 0.3 * noise).astype(np.float32),
        )


def _plain(count: int = FILES) -> Iterator[tuple[float, float, float]]:
    """What one writes down first."""
    import fast_bss_eval.numpy
    import pystoi

    for clean, estimate in _pairs(count):
        one, other = clean[None].astype(float), estimate[None].astype(float)
        si_sdr = fast_bss_eval.numpy.si_sdr(one, other, zero_mean=True)[0]
        yield (
            float(si_sdr),
            float(fast_bss_eval.sdr(one, other)[0]),
            float(pystoi.stoi(clean, estimate, RATE)),
        )
