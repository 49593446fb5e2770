"""`tinyprune run examples/denoise.toml`, which `make demo` runs: time and peak memory."""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.shared.environment import ROOT, program
from benchmarks.shared.report import Case, Check, Report, Unavailable
from benchmarks.shared.timing import repeats

RECIPE = ROOT / "examples" / "denoise.toml"
#: On numbers: making speech takes longer than all the rest.
SMOKE_RECIPE = """
[data]
name = "arrays"
arrays = "ARRAYS"

[model]
name = "mlp"

[train]
epochs = 2

[[prune]]
epochs = 2

[[target]]
npu = "ethos-u55-128"
"""
LIMIT_MINUTES, LIMIT_GIB = 10, 4


def measure(options: argparse.Namespace) -> Report:
    """Run the recipe from nothing, each time: the corpus is made again."""
    if not RECIPE.exists():
        raise Unavailable(f"{RECIPE} does not exist: there is no demo to measure")
    minutes, peaks = [], []
    for _ in range(repeats(options, 1, 1)):
        minutes.append(_seconds(options.smoke) / 60)
        peaks.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20)
    duration = Case("time", "min", minutes)
    memory = Case("peak memory, highest so far", "GiB", peaks)
    checks = [
        Check("time", duration.median, "min", LIMIT_MINUTES),
        Check("peak memory", max(peaks), "GiB", LIMIT_GIB),
    ]
    note = "peak memory is that of the largest process; Vela runs in one of its own"
    return Report([duration, memory], checks, [note])


def _seconds(smoke: bool) -> float:
    """Return how long one run of the recipe takes. Raises Unavailable if it fails."""
    tinyprune = program("tinyprune", [sys.executable, "-m", "tinyprune"])
    with tempfile.TemporaryDirectory() as folder:
        recipe = RECIPE
        if smoke:
            recipe = Path(folder) / "smoke.toml"
            arrays = _write_numbers(Path(folder))
            recipe.write_text(SMOKE_RECIPE.replace("ARRAYS", str(arrays)), encoding="utf-8")
        command = [*tinyprune, "run", str(recipe), "--run", str(Path(folder) / "run")]
        started = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, stdout=sys.stderr, stderr=sys.stderr, check=False)
    if done.returncode:
        raise Unavailable(f"`tinyprune run {recipe.name}` failed with exit code {done.returncode}")
    return time.monotonic() - started


def _write_numbers(folder: Path) -> Path:
    """Write a few rows of numbers, and whether the first is positive."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 16)).astype(np.float32)
    np.savez(folder / "x.npz", x=x, y=(x[:, 0] > 0).astype(np.int64))
    return folder / "x.npz"
