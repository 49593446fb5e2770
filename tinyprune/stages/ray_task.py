"""The end of a sweep that runs on a node of a Ray cluster: its checks, and one trial."""

import logging
import os
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from tinyprune.artifacts.sweep import FAILED, TrialRecord
from tinyprune.stages.run import Run
from tinyprune.stages.sweep_trial import TrialJob, prepare_trial, run_trial
from tinyprune.storage.environment import compute_on
from tinyprune.storage.run_folder import Workspace


@dataclass(frozen=True)
class Surroundings:
    """The places and the cores of a trial, which are the same on every node.

    Attributes:
        folder: of the run. here: folder that the command was given in.
        paths: of the data, each of which every node has to see.
        modules: where Python looks for modules, as in the process of the command.
        threads: that a trial computes on.
    """

    folder: str
    here: str
    paths: tuple[str, ...]
    modules: tuple[str, ...]
    threads: int

    def missing(self) -> str:
        """Return the first place that this node does not see; empty where it sees all."""
        for path in (self.here, self.folder, *self.paths):
            if not Path(path).exists():
                return path
        return ""

    def enter(self) -> None:
        """Let this process compute and look for files as that of the command does."""
        compute_on(self.threads)
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # trials may share a GPU
        os.chdir(self.here)
        for place in self.modules:
            if place not in sys.path:
                sys.path.append(place)
        logging.getLogger("tinyprune").setLevel(logging.ERROR)


def trial(where: Surroundings, job: TrialJob, node: str) -> TrialRecord:
    """Return what came of a trial; of one that failed with the name of the node."""
    record = run_trial(_run(where.folder), job)
    if record.status == FAILED:
        return replace(record, reason=f"{record.reason} (on {node})")
    return record


def prefix(where: Surroundings, job: TrialJob) -> None:
    """Make the variants that chains begin with; what fails is said by the trials that need it."""
    prepare_trial(_run(where.folder), job)


@cache
def _run(folder: str) -> Run:
    """Return a run with its data, which a process that stays loads once."""
    return Run(Workspace(Path(folder)))
