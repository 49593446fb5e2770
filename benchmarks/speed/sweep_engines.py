"""A sweep of tiny trials one after another, with --jobs and on a local Ray: what each takes around the trials."""

import argparse
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.shared.clouds import write_clouds
from benchmarks.shared.report import Case, Check, Report, Unavailable
from benchmarks.shared.sizes import SIZES
from benchmarks.shared.timing import repeats, take_turns
from tinyprune import extras
from tinyprune.config import RunConfig, from_mapping
from tinyprune.stages.ray_workers import RayRequest
from tinyprune.stages.train import train_baseline
from tinyprune.stages.variant_search import SweepRequest, run_sweep

AT_A_TIME = 2
ALONE, JOBS, RAY = "--jobs 1", f"--jobs {AT_A_TIME}", f"--ray --jobs {AT_A_TIME}"
LEAST_GAIN = 1.7  # of two processes


@dataclass(frozen=True)
class Course:
    """The course of a sweep. Attributes: seconds; overhead, seconds of a slot per trial that no trial has."""

    seconds: float
    overhead: float


def measure(options: argparse.Namespace) -> Report:
    """The sweep of a table, one thread each, from the end of the baseline to the answer.

    What is around a trial has the start of Ray and of the processes in it, shared by all trials.
    """
    if not extras.is_installed("ray"):
        raise Unavailable(f"needs Ray: {extras.install_line('ray')}")
    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = _config(folder)
        train_baseline(folder / "run", config)
        run_sweep(config, folder / "run", SweepRequest(jobs=1))  # what the baseline costs is known
        requests = {
            ALONE: SweepRequest(jobs=1),
            JOBS: SweepRequest(jobs=AT_A_TIME),
            RAY: SweepRequest(jobs=AT_A_TIME, ray=RayRequest("local")),
        }
        cases = {}
        for engine, request in requests.items():
            cases[engine] = lambda request=request: _course(config, folder, request)
        courses = take_turns(cases, repeats(options, 3, 1))
    trials = SIZES.sweep_trials
    around = {}
    for engine, found in courses.items():
        around[engine] = Case(
            f"{engine}: around each trial", "s", [course.overhead for course in found]
        )
    whole = [
        Case(engine, "s", [each.seconds for each in found]) for engine, found in courses.items()
    ]
    seconds = {case.what: case.median for case in whole}
    gain = seconds[ALONE] / seconds[JOBS]
    more = around[RAY].median - around[JOBS].median
    return Report(
        [*whole, *around.values()],
        [
            Check(
                f"{JOBS}, times as fast as one after another", gain, "x", LEAST_GAIN, at_least=True
            ),
            Check("Ray, more around each trial", more, "s"),
        ],
        [f"{trials} trials, {AT_A_TIME} at a time, one thread each"],
    )


def _course(config: RunConfig, folder: Path, request: SweepRequest) -> Course:
    """Return the course of a sweep whose trials are all to be made."""
    run = folder / "swept"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(folder / "run", run, ignore=shutil.ignore_patterns("sweep", "sweep-*"))
    started = time.perf_counter()
    found = run_sweep(config, run, request)
    seconds = time.perf_counter() - started
    inside = sum(trial.seconds for trial in found.trials)
    return Course(seconds, (seconds * (request.jobs or 1) - inside) / len(found.trials))


def _config(folder: Path) -> RunConfig:
    """Return the configuration of the sweep, and write its table."""
    write_clouds(folder / "table.npz", {"train": 512, "dev": 128})
    sparsities = np.linspace(0.2, 0.8, SIZES.sweep_trials).round(3).tolist()
    step = {"sparsity": sparsities, "epochs": [SIZES.sweep_epochs]}
    return from_mapping(
        {
            "data": {"name": "arrays", "arrays": str(folder / "table.npz")},
            "model": {"name": "mlp"},
            "train": {"epochs": 4},
            "sweep": {
                "trials": SIZES.sweep_trials,
                "costs": ["flash"],
                "halving": False,
                "step": [step],
            },
        }
    )
