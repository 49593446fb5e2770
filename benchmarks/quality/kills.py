"""A signal at every file operation of a command: does the same command continue, to the same files (long, by name).

KILL, TERM, HUP and INT come before each operation in the run folder (opening to write, fsync,
rename, removal, new folder), then the same command runs again. Every point is kept, so a killed
measurement goes on. ``--only train,compile`` takes some of the commands, ``--every 5`` operations
1, 6, 11, ... of each. Where a signal leaves the same files as one before, the second command is not
run again: what it does follows from them.
"""

import argparse
import collections
import hashlib
import importlib
import json
import shutil
import signal
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.shared import ended_process
from benchmarks.shared.budgets import selected_names
from benchmarks.shared.ended_process import Signal
from benchmarks.shared.folder_state import said_in, state_of
from benchmarks.shared.report import Case, Check, Report

SIGNALS = {
    "KILL": signal.SIGKILL,
    "TERM": signal.SIGTERM,
    "HUP": signal.SIGHUP,
    "INT": signal.SIGINT,
}
EXIT_CODES = {"KILL": -9, "TERM": 143, "HUP": 129, "INT": 130}
RECIPE = """
[data]
name = "arrays"
arrays = "x.npz"

[model]
name = "mlp"

[train]
epochs = 2

[[prune]]
epochs = 2

[[target]]
npu = "ethos-u55-128"
"""
TRAIN = ("train", "--model", "mlp", "--arrays", "x.npz", "--epochs", "2", "--run", "run")
#: Command -> those that have to be there before, and its command line.
COMMANDS = {
    "train": ((), TRAIN),
    "export": (("train",), ("export", "baseline", "--run", "run")),
    "compile": (("train", "export"), ("compile", "--run", "run")),
    "prune": (("train",), ("prune", "--epochs", "2", "--run", "run")),
    "differentiable": (
        ("train",),
        (
            "prune",
            "--method",
            "differentiable",
            "--max-macs",
            "2k",
            "--epochs",
            "3",
            "--run",
            "run",
        ),
    ),
    "run": ((), ("run", "recipe.toml", "--run", "run")),
}
#: What is loaded before the first fork; nothing is computed.
LOADED = (
    "keras",
    "tensorflow",
    "ai_edge_litert.interpreter",
    "tinyprune.stages.compile",
    "tinyprune.stages.train",
    "tinyprune.stages.prune",
    "tinyprune.stages.evaluate",
    "tinyprune.report.model.collection",
    "tinyprune.report.render.run_tables",
    "tinyprune.cli",
)
#: Files that have to say the same, without the seconds of an epoch; the others have times of the
#: day in them.
COMPARED = (
    "*.keras",
    "*.tflite",
    "quality.json",
    "size.json",
    "plan.json",
    "frontend.json",
    "history.csv",
)
TOY_OPERATIONS = (20,)


@dataclass(frozen=True)
class Outcome:
    """What became of the second command.

    Attributes:
        is_continued: whether it ended well.
        is_equal: whether there are the same files then as where nobody ended the first one.
        litter: names that are there and are not where nobody ended it.
        said: the last line of what it said, where it did not end well.
    """

    is_continued: bool
    is_equal: bool
    litter: tuple[str, ...]
    said: str


@dataclass(frozen=True)
class Point:
    """What became of a command that a signal ended before a file operation; the rest of an Outcome.

    Attributes:
        command, signal, operation: which.
        is_said: whether it ended with the exit code of the signal.
    """

    command: str
    signal: str
    operation: int
    is_said: bool
    is_continued: bool
    is_equal: bool
    litter: tuple[str, ...]
    said: str


def measure(options: argparse.Namespace) -> Report:
    """Count what became of each point."""
    for name in LOADED:
        importlib.import_module(name)
    folder = (options.work / "kills").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "points.jsonl"
    points = {_key(point): point for point in _read(kept)}
    names = selected_names(options, COMMANDS, 1 if options.smoke else len(COMMANDS))
    for name in names:
        for point in _points(name, folder, points, options):
            with kept.open("a") as file:
                file.write(json.dumps(asdict(point)) + "\n")
            points[_key(point)] = point
    return _report(list(points.values()), folder)


def _points(name: str, folder: Path, known: dict, options: argparse.Namespace) -> Iterator[Point]:
    """Yield the points of a command that are not known yet."""
    _prepare(name, folder)
    whole = folder / name / "whole"
    outcomes: dict[str, Outcome] = {}
    operations: Sequence[int] = range(1, ended_process.operations_of(whole) + 1, options.every)
    if options.smoke:
        operations = [number for number in TOY_OPERATIONS if number in operations]
    for operation in operations:
        for sent in SIGNALS:
            if (name, sent, operation) not in known:
                yield _point(name, sent, operation, outcomes, folder)


def _prepare(name: str, folder: Path) -> None:
    """Make a folder as it is before a command, and beside it the one after it, undisturbed."""
    first, arguments = COMMANDS[name]
    before, whole, work = (folder / name / part for part in ("before", "whole", "work"))
    if (whole / ended_process.COUNT).exists():
        return
    shutil.rmtree(folder / name, ignore_errors=True)
    (work / "tmp").mkdir(parents=True)
    _write_data(work)
    for earlier in first:
        _run_well(COMMANDS[earlier][1], work)
    shutil.copytree(work, before)
    _run_well(arguments, work)
    shutil.copytree(work, whole)


def _run_well(arguments: Sequence[str], folder: Path) -> None:
    code = ended_process.run(arguments, folder)
    assert code == 0, (folder / ended_process.OUTPUT).read_text()


def _write_data(folder: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 16)).astype(np.float32)
    np.savez(folder / "x.npz", x=x, y=(x[:, 0] > 0).astype(np.int64))
    (folder / "recipe.toml").write_text(RECIPE)


def _point(
    name: str, sent: str, operation: int, outcomes: "dict[str, Outcome]", folder: Path
) -> Point:
    """End a command at an operation, run it again, and compare with the one that was not ended.

    ``outcomes``: of the second command, by the state that it began with.
    """
    arguments = COMMANDS[name][1]
    work = folder / name / "work"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(folder / name / "before", work)
    ended = ended_process.run(arguments, work, Signal(SIGNALS[sent], operation))
    state = state_of(work)
    if state not in outcomes:
        outcomes[state] = _continued(arguments, work, folder / name / "whole")
    return Point(name, sent, operation, ended == EXIT_CODES[sent], **asdict(outcomes[state]))


def _continued(arguments: Sequence[str], work: Path, whole: Path) -> Outcome:
    """Run a command again and say what became of it."""
    code = ended_process.run(arguments, work)
    lines = (work / ended_process.OUTPUT).read_text(errors="replace").strip().splitlines()
    return Outcome(
        is_continued=code == 0,
        is_equal=_content(work) == _content(whole),
        litter=tuple(sorted(_names(work) - _names(whole))),
        said="" if code == 0 else (lines or [""])[-1],
    )


def _names(folder: Path) -> set[str]:
    """Return what is in a run and in the folder for what is temporary."""
    places = [*(folder / "run").rglob("*"), *(folder / "tmp").rglob("*")]
    return {place.relative_to(folder).as_posix() for place in places}


def _content(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of what a run is for."""
    digests = {}
    for pattern in COMPARED:
        for path in (folder / "run").rglob(pattern):
            name = path.relative_to(folder).as_posix()
            digests[name] = hashlib.sha256(said_in(path)).hexdigest()
    return digests


def _key(point: Point) -> tuple[str, str, int]:
    return point.command, point.signal, point.operation


def _read(path: Path) -> Iterator[Point]:
    if path.exists():
        for line in path.read_text().splitlines():
            point = json.loads(line)
            yield Point(**{**point, "litter": tuple(point["litter"])})


def _report(points: Sequence[Point], folder: Path) -> Report:
    """Return a row per command and signal, and what went wrong."""
    groups = collections.defaultdict(list)
    for point in points:
        groups[point.command, point.signal].append(point)
    cases, notes = [], []
    for (command, sent), those in groups.items():
        whole = folder / command / "whole"
        counts = {
            f"of {ended_process.operations_of(whole)} operations": those,
            "continued": [point for point in those if point.is_continued],
            "equal": [point for point in those if point.is_equal],
            "litter": [point for point in those if point.litter],
        }
        for what, found in counts.items():
            cases.append(Case(f"{command}, {sent}: {what}", "points", [float(len(found))]))
    for point in points:
        if not (point.is_said and point.is_continued and point.is_equal) or point.litter:
            notes.append(
                f"{point.command}, {point.signal} before operation {point.operation}: "
                f"{_wrong(point)}."
            )
    failed = [point for point in points if not (point.is_continued and point.is_equal)]
    littered = [point for point in points if point.litter]
    checks = [
        Check("not continued to the same files", len(failed), "points", 0),
        Check("that left litter", len(littered), "points", 0),
    ]
    return Report(cases, checks, notes[:40])


def _wrong(point: Point) -> str:
    said = {
        "another exit code": not point.is_said,
        f"not continued ({point.said})": not point.is_continued,
        "other files": not point.is_equal,
        f"left {', '.join(point.litter[:3])}": bool(point.litter),
    }
    return "; ".join(what for what, is_so in said.items() if is_so)
