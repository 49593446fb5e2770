"""One byte flipped in each file of a finished run: each command that reads a run refuses, or computes anew.

A command may also show that the file has changed, or not use it: then it prints what it printed before.
"""

import hashlib
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from tests.support.flipping import files_of, flip
from tests.support.runs import tiny_sizes as tiny
from tinyprune.cli import main
from tinyprune.errors import UsageError
from tinyprune.stages import prune

PRUNED = "variants/weight-0.80"
RECIPE = """
[data]
minutes = 0.3
dev_utterances = 3

[train]
epochs = 2
batch_size = 4
frames = 50

[[prune]]
epochs = 2
"""
COMMANDS = {
    "report": ("report",),
    "report of a variant": ("report", "weight-0.80"),
    "compare": ("compare", "baseline", "weight-0.80"),
    "card": ("card", "weight-0.80"),
    "verify": ("verify",),
    "plan": ("prune", "--show-plan", "--from", "weight-0.80", "--sparsity", "0.9"),
    "plan of a budget": ("prune", "--show-plan", "--method", "differentiable", "--max-macs", "3k"),
    "prune": ("prune", "--epochs", "2"),
    "prune on": ("prune", "--epochs", "2", "--from", "weight-0.80", "--sparsity", "0.9"),
    "export": ("export", "weight-0.80"),
    "compile": ("compile",),
    "evaluate": ("evaluate", "weight-0.80"),
    "enhance": ("enhance", "in.wav", "out.wav", "--model", "weight-0.80"),
    "run": ("run", "recipe.toml"),
}
#: A file that each command reads.
QUICK = {
    "report": f"{PRUNED}/quality.json",
    "card": f"{PRUNED}/quality.json",
    "compare": "summary-ethos-u55-128-shared-sram.json",
    "plan": f"{PRUNED}/model.keras",
    "plan of a budget": "variants/baseline/model.keras",
    "prune": f"{PRUNED}/variant.json",
    "prune on": f"{PRUNED}/masks.npz",
    "export": f"{PRUNED}/export.json",
    "compile": f"{PRUNED}/streaming.tflite",
    "enhance": f"{PRUNED}/streaming.frontend.json",
    "run": "variants/baseline/train.json",
}


@dataclass(frozen=True)
class Outcome:
    """What a command did: its exit code, what it printed, and what it wrote, as a digest."""

    exit_code: int
    stdout: str
    stderr: str
    written: str


@pytest.fixture(autouse=True)
def _nothing_is_trained(monkeypatch):
    """A pruning says what it would train on, instead of training."""

    def told(run, base, config, folder):
        from tinyprune.compress.mask_updater import load_masks

        job = prune._job(run, base, config, folder)
        digest = hashlib.sha256()
        for network in (job.base, job.baseline):
            for weights in network.get_weights():
                digest.update(weights.tobytes())
        for mask in load_masks(base.folder).values():
            digest.update(mask.tobytes())
        for inputs in job.task.calibration():
            digest.update(np.asarray(inputs).tobytes())
        raise UsageError(f"would train {digest.hexdigest()}")

    monkeypatch.setattr(prune, "_train", told)


def outcome(name: str, run: Path) -> Outcome:
    """Return what a command does on a run, which is in a folder of its own."""
    folder = run.parent
    soundfile.write(folder / "in.wav", 0.1 * np.random.default_rng(0).normal(size=4_000), 16_000)
    (folder / "recipe.toml").write_text(RECIPE)
    with pytest.MonkeyPatch.context() as patch, tiny():
        patch.chdir(folder)
        result = CliRunner().invoke(main, [*COMMANDS[name], "--run", "run"])
    written = (folder / "out.wav").read_bytes() if (folder / "out.wav").exists() else b""
    stdout = re.sub(r"\d+(\.\d+)? (ms|s)\b", "", result.stdout)
    return Outcome(result.exit_code, stdout, result.stderr, hashlib.sha256(written).hexdigest())


#: Files that this process opened since it was cleared, by their names in Python.
OPENED: set[str] = set()
#: Files that libraries in C++ may open too.
READ_BY_LIBRARIES = (".tflite",)


@pytest.fixture(scope="module")
def _opened_files():
    """Note every file that is opened from now on."""

    def note(event, arguments):
        if event == "open" and isinstance(arguments[0], str | os.PathLike):
            OPENED.add(os.path.realpath(arguments[0]))

    sys.addaudithook(note)  # which cannot be taken off


def read_files(name: str, run: Path) -> set[str]:
    """Return the files of a run, as paths in it, that a command may read."""
    OPENED.clear()
    outcome(name, run)
    found = {file.relative_to(run).as_posix() for file in files_of(run)}
    top = os.path.realpath(run)
    return {file for file in found if f"{top}/{file}" in OPENED or file.endswith(READ_BY_LIBRARIES)}


@pytest.fixture(scope="module")
def whole(finished_run, tmp_path_factory):
    """What each command does on the run as it is; made where it is asked for."""
    kept = {}

    def of(name):
        if name not in kept:
            folder = tmp_path_factory.mktemp("whole")
            kept[name] = outcome(name, Path(shutil.copytree(finished_run.folder, folder / "run")))
        return kept[name]

    return of


def fault(name: str, file: str, finished_run, whole, folder: Path) -> str:
    """Return what is wrong with what a command does where a byte of a file is another; "" for nothing."""
    expected = whole(name)
    folder.mkdir(parents=True)
    run = Path(shutil.copytree(finished_run.folder, folder / "run"))
    flip(run / file)
    result = outcome(name, run)
    shutil.rmtree(folder)
    if result.exit_code != expected.exit_code:
        return _fault_of_refusal(file, result)
    is_said = Path(file).name in result.stdout + result.stderr and "changed" in result.stdout
    if is_said or (result.stdout, result.written) == (expected.stdout, expected.written):
        return _fault_of_errors(result, expected)
    return f"other output, exit code {result.exit_code}: {result.stdout[-300:]}"


def _fault_of_refusal(file: str, result: Outcome) -> str:
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    if len(lines) == 1 and "unexpected" not in lines[0] and result.exit_code in (1, 2):
        is_named = Path(file).name in lines[0] or Path(file).name in result.stdout
        return "" if is_named else f"refused without its name: {lines[0]}"
    return f"exit code {result.exit_code}: {result.stderr[-300:]}"


def _fault_of_errors(result: Outcome, expected: Outcome) -> str:
    """The same exit code: then the line of error, if there is one, is the same or names the file."""
    said = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    before = [line for line in expected.stderr.splitlines() if line.startswith("error: ")]
    if said == before or "has changed" in "".join(said):
        return ""
    return f"another error: {said}"


@pytest.mark.parametrize("name", QUICK)
def test_a_command_says_that_a_file_has_changed(name, finished_run, tmp_path):
    """A file that it reads: it cannot go on as if nothing had happened."""
    run = Path(shutil.copytree(finished_run.folder, tmp_path / "run"))
    flip(run / QUICK[name])
    result = outcome(name, run)
    said = " ".join((result.stdout + result.stderr).split())
    assert re.search(rf"{re.escape(Path(QUICK[name]).name)}\S* has changed", said), said
    assert result.exit_code in ((0,) if name == "report" else (1, 2))


@pytest.mark.slow
@pytest.mark.usefixtures("_opened_files")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_flipped_byte_in_any_file_never_gives_other_figures(name, finished_run, whole, tmp_path):
    """In any file that it reads: what it does not open cannot change what it says."""
    found = {}
    run = Path(shutil.copytree(finished_run.folder, tmp_path / "read/run"))
    files = read_files(name, run)
    assert QUICK.get(name, f"{PRUNED}/variant.json") in files
    for file in sorted(files):
        found[file] = fault(name, file, finished_run, whole, tmp_path / str(len(found)))
    bad = [f"{file}: {what}" for file, what in found.items() if what]
    assert not bad, "\n".join(bad)
