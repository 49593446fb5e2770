"""A thousand trials on 1, 10 and 100 nodes: hours, node hours and what node deaths cost, by a simulation."""

import argparse
import heapq
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.shared.report import Case, Check, Report, Unavailable
from benchmarks.shared.sizes import SIZES
from tinyprune import extras
from tinyprune.config import TargetConfig, from_mapping
from tinyprune.search.study import Study

NODES, SEED = (1, 10, 100), 0
SLOTS = 4  # trials at a time on a node
BUDGETS = 10  # first steps that chains share: units to one of ten budgets
STEP_HOURS, SPREAD, EPOCHS = 0.5, 0.3, 40  # of a training: mean, log-normal spread
SECONDS_OF_TASK = 15.0  # a process with TensorFlow, data, compiling and scoring
#: Hours between two deaths of a node: owned machines, and those that a cloud may take back.
DEATHS = {"owned nodes": 2000.0, "spot nodes": 20.0}
AXES = {
    "sparsity": [0.3, 0.4, 0.5, 0.6, 0.7, 0.8],
    "clusters": [0, 8, 16, 32],
    "learning_rate": [0.0003, 0.001, 0.003, 0.01],
    "seed": list(range(12)),
}


@dataclass(frozen=True)
class Outcome:
    """The course of a sweep. Attributes: hours; node_hours; busy, a share of them; lost, hours of training."""

    hours: float
    node_hours: float
    busy: float
    lost: float


def measure(options: argparse.Namespace) -> Report:
    """Greedy list scheduling, as Ray's: the next trial of the sampler goes wherever there is room.

    A trial whose beginning another one makes waits for that. A node that dies loses what its trials have
    done since their last epoch; they go on elsewhere.
    """
    if not extras.is_installed("optuna"):
        raise Unavailable(f"needs Optuna: {extras.install_line('sweep')}")
    count = SIZES.simulated_trials
    seconds = seconds_of_sampler(count)
    cases, checks = [], []
    for kind, hours_alive in DEATHS.items():
        for nodes in NODES:
            found = simulate(count, nodes, hours_alive, seconds)
            name = f"{count} trials, {nodes} {kind}"
            cases += [
                Case(name, "h", [found.hours]),
                Case(f"{name}: node hours", "h", [found.node_hours]),
            ]
            checks.append(Check(f"{name}: room in use", 100 * found.busy, "%"))
            checks.append(Check(f"{name}: training lost by deaths", found.lost, "h"))
    checks.append(Check("sampler (tpe), each trial, measured here", seconds * 1e3, "ms"))
    notes = [
        f"{SLOTS} trials at a time on a node; trainings of {STEP_HOURS:g} h (log-normal, spread {SPREAD:g}), "
        f"{EPOCHS} epochs; {SECONDS_OF_TASK:g} s around each",
        f"chains of two steps, the first to one of {BUDGETS} budgets that chains share; all hours scale with "
        "the length of a training",
        "a node dies every " + ", ".join(f"{hours:g} h ({kind})" for kind, hours in DEATHS.items()),
    ]
    return Report(cases, checks, notes)


def seconds_of_sampler(count: int) -> float:
    """Return the seconds that asking and telling take of each trial, in a study of so many."""
    config = from_mapping({"sweep": {"sampler": "tpe", "trials": count, "step": [AXES]}}).sweep
    rng = np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory() as folder:
        study = Study(Path(folder), "simulated", config, TargetConfig(), is_higher=True)
        started = time.perf_counter()
        asked = 0
        while asked < count and (trial := study.ask()) is not None:
            study.tell(trial.number, list(rng.random(1 + len(config.costs))), {})
            asked += 1
        return (time.perf_counter() - started) / asked


def simulate(trials: int, nodes: int, hours_alive: float, sampler_seconds: float) -> Outcome:
    """Return the course of a sweep. ``hours_alive``: mean time between two deaths of a node."""
    rng = np.random.default_rng(SEED)
    places = [0.0] * (nodes * SLOTS)  # when each has room again
    made: dict[int, float] = {}  # budget -> when its variant is there
    asked = busy = lost = 0.0
    for _ in range(trials):
        asked = max(asked, heapq.heappop(places)) + sampler_seconds / 3600
        budget = int(rng.integers(BUDGETS))
        if budget not in made:
            work, deaths = _hours(rng, hours_alive)
            made[budget] = asked + work
            busy, lost = busy + work, lost + deaths
        work, deaths = _hours(rng, hours_alive)
        heapq.heappush(places, max(asked, made[budget]) + work)
        busy, lost = busy + work, lost + deaths
    end = max(places)
    return Outcome(end, end * nodes, busy / (end * len(places)), lost)


def _hours(rng: np.random.Generator, hours_alive: float) -> tuple[float, float]:
    """Return how long a training takes with the deaths of its nodes, and what they cost."""
    training = STEP_HOURS * rng.lognormal(-(SPREAD**2) / 2, SPREAD)
    begin = SECONDS_OF_TASK / 3600
    deaths = int(rng.poisson(training / hours_alive))
    lost = sum(rng.uniform(0, training / EPOCHS) + begin for _ in range(deaths))
    return training + begin + lost, lost
