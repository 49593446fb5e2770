"""Peak memory of a training on hours of audio that stream from disk, beside one on minutes."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.shared.report import Case, Check, Report
from benchmarks.shared.sizes import SIZES
from benchmarks.shared.timing import repeats

HOURS = SIZES.audio_hours  # of speech, and of noise as well
QUICK_HOURS, FEW = HOURS / 10, HOURS / 50
LIMIT_GIB = 2.0


def measure(options: argparse.Namespace) -> Report:
    """Peak resident memory of processes that decode audio, train a few steps and make an epoch of batches."""
    hours = QUICK_HOURS if options.quick else HOURS
    cases = [
        Case(
            f"training on {2 * length:g} h of audio",
            "GiB",
            [_peak(length) for _ in range(repeats(options, 1, 1))],
        )
        for length in (FEW, hours)
    ]
    few, many = (max(case.samples) for case in cases)
    return Report(
        cases,
        [
            Check(f"peak memory of a training on {2 * hours:g} h", many, "GiB", LIMIT_GIB),
            Check(f"more than on {2 * FEW:g} h", many - few, "GiB"),
        ],
        [
            f"Half of the audio is speech, half noise; {2 * hours:g} h are {2 * hours * 3600 * 16_000 * 2 / 2**30:.2f} "
            "GiB as 16-bit samples. Speeds, rooms and babble are on."
        ],
    )


def _peak(hours: float) -> float:
    """GiB that a process of its own needs."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.speed.data_memory", str(hours), folder]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
        )
    return float(done.stdout)


def _worker(hours: float, folder: Path) -> float:
    """Train, and return the peak of this process in GiB."""
    from benchmarks.shared.speech_workload import BATCH, FRAMES, Short, corpus, plain, varied
    from benchmarks.shared.step_time import our_loop
    from tinyprune.compress.prepare import prepare
    from tinyprune.tasks.speech import measure_frontend

    dataset = varied(corpus(folder, minutes=60 * hours), folder)
    task = Short(dataset, measure_frontend(dataset, BATCH, FRAMES))
    our_loop(prepare(plain(), masked=False, quantized=False), task)()
    for _ in dataset.batches(0, BATCH, (FRAMES + 1) * 256):
        pass
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 2**20


if __name__ == "__main__":
    print(_worker(float(sys.argv[1]), Path(sys.argv[2])))
