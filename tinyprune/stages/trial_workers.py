"""Runners of the trials of a sweep: this process, or several of this machine."""

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Any, Protocol, Self

from tinyprune.artifacts.sweep import FAILED, TrialRecord
from tinyprune.stages.run import Run
from tinyprune.stages.sweep_trial import TrialJob, run_trial
from tinyprune.storage.environment import computing_on, threads
from tinyprune.storage.run_folder import Workspace

log = logging.getLogger(__name__)
#: Memory that a training is taken to need, with TensorFlow.
BYTES_OF_WORKER = 1.5e9
_MEMORY = Path("/proc/meminfo")


class Workers(Protocol):
    """A runner of trials. A context manager; at its end nothing runs any more."""

    def __enter__(self) -> Self:
        """Return itself."""

    def __exit__(self, *error: Any) -> None:
        """End what still runs."""

    @property
    def jobs(self) -> int:
        """The number of trials that may run at a time."""

    @property
    def running(self) -> int:
        """The number of trials that run."""

    @property
    def has_room(self) -> bool:
        """True where another trial can begin."""

    def begin(self, job: TrialJob) -> None:
        """Begin a trial."""

    def wait(self) -> TrialRecord:
        """Return what came of the next trial that ends."""


def default_jobs() -> int:
    """Return how many trials run at a time: one per core, as far as memory reaches."""
    cores = len(os.sched_getaffinity(0))
    return max(1, min(cores, int(_free_bytes() // BYTES_OF_WORKER)))


def local_workers(run: Run, jobs: int | None) -> Workers:
    """Return who runs so many trials at a time on this machine; None: as many as it can."""
    jobs = jobs or default_jobs()
    if jobs == 1:
        return InThisProcess(run)
    return Processes(run.space.root, jobs)


class InThisProcess:
    """One trial at a time, in this process. Attributes: jobs."""

    def __init__(self, run: Run) -> None:
        self.jobs = 1
        self._run = run
        self._begun: list[TrialJob] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._begun.clear()

    @property
    def running(self) -> int:
        """The number of trials that were begun."""
        return len(self._begun)

    @property
    def has_room(self) -> bool:
        """True where there is none."""
        return not self._begun

    def begin(self, job: TrialJob) -> None:
        """Take a trial."""
        self._begun.append(job)

    def wait(self) -> TrialRecord:
        """Run it."""
        record = run_trial(self._run, self._begun[0])
        self._begun.clear()
        return record


@dataclass
class _Worker:
    """A process that runs one trial after the other.

    Attributes:
        process: itself. channel: jobs go in, records come out. job: the one that it runs.
    """

    process: Any
    channel: Any
    job: TrialJob | None = None


class Processes:
    """Several trials at a time, each in a process of its own.

    The trial of a process that dies goes on in another one, once; then it alone has failed.
    Processes end with this one, however it ends.

    Attributes:
        jobs: how many of them at most.
    """

    def __init__(self, folder: Path, jobs: int) -> None:
        """``folder``: of the run. ``jobs``: how many processes at most."""
        self.jobs = jobs
        self._folder = folder
        self._threads = max(1, threads() // jobs)
        self._workers: list[_Worker] = []
        #: Numbers of the trials of which a process has died.
        self._died: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
        self._workers.clear()

    @property
    def running(self) -> int:
        """The number of trials that run."""
        return len(self._busy())

    @property
    def has_room(self) -> bool:
        """True where another trial can begin."""
        return self.running < self.jobs

    def begin(self, job: TrialJob) -> None:
        """Begin a trial, in a process that waits or in a new one."""
        idle = [worker for worker in self._workers if worker.job is None]
        worker = idle[0] if idle else self._started()
        worker.job = job
        with suppress(OSError):  # a process that has died is noticed by wait()
            worker.channel.send(job)

    def wait(self) -> TrialRecord:
        """Return what came of the next trial that ends, or whose processes have died."""
        record = None
        while record is None:
            by_channel = {worker.channel: worker for worker in self._busy()}
            ready = connection.wait(list(by_channel))
            record = self._ended(by_channel[ready[0]])
        return record

    def _ended(self, worker: _Worker) -> TrialRecord | None:
        """Return the record of a worker's trial; None where it goes on in another process."""
        job = worker.job
        assert job is not None
        worker.job = None
        try:
            record: TrialRecord = worker.channel.recv()
        except (EOFError, OSError):
            worker.process.join()
            self._workers.remove(worker)
            return self._again(job, _end(worker.process.exitcode))
        return record

    def _again(self, job: TrialJob, why: str) -> TrialRecord | None:
        """Begin a trial again whose process has died; return a failed one the second time."""
        if job.number in self._died:
            return job.record(FAILED, why)
        self._died.add(job.number)
        log.warning("%s goes on in another process: %s", job.variant, why)
        self.begin(job)
        return None

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.job is not None]

    def _started(self) -> _Worker:
        """Return a new process, which waits for its first job."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self._folder), daemon=True)
        with computing_on(self._threads):
            process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker


def _work(channel: Any, folder: Path) -> None:
    """Run the jobs that come through a channel, until its other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logging.getLogger("tinyprune").setLevel(logging.ERROR)
    run = Run(Workspace(folder))
    while True:
        try:
            job = channel.recv()
        except EOFError:
            return
        channel.send(run_trial(run, job))


def _end_with_parent() -> None:
    """End this process as soon as the one that started it is gone."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _end(exit_code: int | None) -> str:
    """Return how a process ended, in words."""
    if exit_code == -signal.SIGKILL:
        return "its process was killed: is there enough memory? try fewer --jobs"
    return f"its process ended with exit code {exit_code}"


def _free_bytes() -> float:
    """Return the memory that is free; without bounds where the system does not say."""
    if not _MEMORY.exists():
        return float("inf")
    lines = _MEMORY.read_text(encoding="ascii").splitlines()
    values: Mapping[str, str] = dict(line.split(":", 1) for line in lines)
    if "MemAvailable" not in values:
        return float("inf")
    return 1024.0 * int(values["MemAvailable"].split()[0])
