"""All rows one after the other, each in a process of its own: what is finished is kept, what fails does not stop it."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.paper import record, score, worker
from benchmarks.paper.experiment import Experiment
from benchmarks.paper.record import RowRecord
from benchmarks.paper.rows import Row
from benchmarks.paper.worker import Job
from benchmarks.shared.environment import ROOT
from tinyprune.config import to_mapping
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.storage.run_folder import BASELINE, Workspace

log = logging.getLogger("tinyprune.paper")
Launch = Callable[[Job], None]


@dataclass(frozen=True)
class Plan:
    """What there is to run.

    Attributes:
        rows: in order. experiments: task -> its experiment; rows of other tasks are left out.
        results: where records are. quick: whether the rows are the quick ones.
    """

    rows: Sequence[Row]
    experiments: dict[str, Experiment]
    results: Path
    quick: bool = False

    def job(self, task: str, row: Row | None) -> Job:
        """The job of a row, or of the baseline of a task."""
        found = self.experiments[task]
        return Job(found.config, found.folder, self.results, found.key, row and row.id, self.quick)

    def known(self, row: Row) -> RowRecord | None:
        """The record of a row of this experiment and configuration, if there is one."""
        found = record.known(self.results, row.task, self.experiments[row.task].key, row.name)
        wanted = worker.seeded(row, self.experiments[row.task].config)
        return (
            found if found and worker.pruning_of(found.config, row.is_trained) == wanted else None
        )

    def possible(self) -> list[Row]:
        """The rows whose data are there."""
        return [row for row in self.rows if row.task in self.experiments]


def launch(job: Job) -> None:
    """Work on a job in a new process. Raises TinypruneError if that fails, UsageError if it was wrong usage."""
    places = {"folder": str(job.folder.resolve()), "results": str(job.results.resolve())}
    text = json.dumps({**vars(job), **places, "config": worker.given(to_mapping(job.config))})
    command = [sys.executable, "-m", "benchmarks.paper.worker"]
    # Our own stderr and not descriptor 2, which is muted here for the sake of TensorFlow.
    code = subprocess.run(
        command, cwd=ROOT, input=text, text=True, stderr=sys.stderr, check=False
    ).returncode
    if code:
        raise TinypruneError(f"the process ended with exit code {code}")


def run(plan: Plan, launch: Launch = launch) -> None:
    """Run what is not finished. Raises TinypruneError only where a baseline fails."""
    waiting = [row for row in plan.possible() if not _is_finished(plan, row)]
    log.info("%d rows are finished, %d to run", len(plan.possible()) - len(waiting), len(waiting))
    trained: set[str] = set()
    for number, row in enumerate(waiting, 1):
        if row.task not in trained:
            _baseline(plan, row.task, launch)
            trained.add(row.task)
        log.info("row %d of %d: %s", number, len(waiting), row.id)
        _one(plan, row, launch)


def _baseline(plan: Plan, task: str, launch: Launch) -> None:
    """Train the baseline of a task; a finished one is taken as it is, wherever its data were."""
    folder = plan.experiments[task].folder
    if not Workspace(folder).variant(BASELINE).is_done("train"):
        log.info("%s: training the baseline in %s", task, folder)
        launch(plan.job(task, None))


def _one(plan: Plan, row: Row, launch: Launch) -> None:
    """One row; if its process could not say why it failed, that is said here."""
    job = plan.job(row.task, row)
    path = record.path_of(plan.results, row.task, job.key, row.name)
    path.unlink(missing_ok=True)
    try:
        launch(job)
    except Exception as error:  # the runner goes on; what failed is in the record
        if not path.exists():
            record.write(plan.results, worker.failed(worker.begin(job), error, job.folder))
        found = record.known(plan.results, row.task, job.key, row.name)
        log.warning("%s failed: %s", row.id, found.error if found else error)


def test(plan: Plan) -> None:
    """Score every finished row on the test split, once. Raises UsageError while rows wait to be run."""
    waiting = [row for row in plan.possible() if plan.known(row) is None]
    if waiting:
        raise UsageError(
            f"--test: {len(waiting)} rows have not run, e.g. {waiting[0].id}: the test split is scored once, when all "
            "choices are made; run them first, or leave them out with --only"
        )
    for task, found in plan.experiments.items():
        rows = [
            known
            for row in plan.rows
            if row.task == task and (known := plan.known(row)) and known.is_finished
        ]
        untested = [known for known in rows if known.test is None]
        log.info(
            "%s: %d rows have been scored on test, %d to score",
            task,
            len(rows) - len(untested),
            len(untested),
        )
        for start in range(0, len(untested), score.AT_ONCE):
            _test(plan, found, untested[start : start + score.AT_ONCE])


def _test(plan: Plan, found: Experiment, rows: Sequence[RowRecord]) -> None:
    from tinyprune.stages.run import Run

    wanted = [(row.row if row.config else BASELINE, row.form) for row in rows]
    folders = {
        name: getattr(found.config.data, name, None) for name in ("test_speech", "test_noise")
    }
    with Workspace(found.folder).locked() as space:
        splits = score.test(Run(space), wanted, folders)
    for row, one in zip(rows, wanted, strict=True):
        record.write(plan.results, replace(row, test=splits[one]))


def states(plan: Plan) -> Iterator[tuple[Row, str]]:
    """Every row and how far it is."""
    for row in plan.rows:
        known = plan.known(row) if row.task in plan.experiments else None
        tested = ", scored on test" if known and known.test else ""
        yield (
            row,
            f"{known.state}{tested}"
            if known
            else "not run yet"
            if row.task in plan.experiments
            else "no data",
        )


def _is_finished(plan: Plan, row: Row) -> bool:
    known = plan.known(row)
    return known is not None and known.is_finished


@contextmanager
def alone(work: Path) -> Iterator[None]:
    """Keep other runners out of a folder. Raises TinypruneError if one is in."""
    from filelock import FileLock, Timeout

    work.mkdir(parents=True, exist_ok=True)
    lock = FileLock(work / ".paper.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise TinypruneError(
            f"another `make paper` works in {work}: wait for it, or choose another --work"
        ) from None
    try:
        yield
    finally:
        lock.release()
