"""`tinyprune run examples/denoise.toml`, which `make demo` runs: time and peak memory."""

import argparse
import resource
import subprocess
import sys
import tempfile
import time

from benchmarks.common import ROOT, Case, Check, Report, Unavailable, program, repeats

RECIPE = "examples/denoise.toml"
LIMIT_MINUTES, LIMIT_GIB = 10, 4


def measure(options: argparse.Namespace) -> Report:
    """Each run starts from nothing: the corpus is made again."""
    if not (ROOT / RECIPE).exists():
        raise Unavailable(f"{RECIPE} does not exist: there is no demo to measure")
    command = [*program("tinyprune", [sys.executable, "-m", "tinyprune"]), "run", RECIPE, "--run"]
    minutes, peaks = [], []
    for _ in range(repeats(options, 1, 1)):
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            done = subprocess.run(
                [*command, folder], cwd=ROOT, stdout=sys.stderr, stderr=sys.stderr, check=False
            )
        if done.returncode:
            raise Unavailable(f"`tinyprune run {RECIPE}` failed with exit code {done.returncode}")
        minutes.append((time.monotonic() - started) / 60)
        peaks.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20)
    time_, memory = Case("time", "min", minutes), Case("peak memory, highest so far", "GiB", peaks)
    return Report(
        [time_, memory],
        [
            Check("time", time_.median, "min", LIMIT_MINUTES),
            Check("peak memory", max(peaks), "GiB", LIMIT_GIB),
        ],
        ["peak memory is that of the largest process; Vela runs in one of its own"],
    )
