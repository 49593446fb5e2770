"""The promise of a training that is killed: the same command continues it. Real processes, real signals."""

import csv
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support import programs

EPOCHS = 9


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """A training of seconds: recordings of one second, as making the synthetic corpus would take most of the time."""
    rng = np.random.default_rng(0)
    for kind in ("speech", "noise"):
        for number in range(3):
            path = tmp_path / kind / f"speaker-{number}" / "one.wav"
            path.parent.mkdir(parents=True)
            soundfile.write(path, 0.1 * rng.normal(size=16_000), 16_000)
    folders = ["--run", "run", "--speech", "speech", "--noise", "noise"]
    sizes = ["--epochs", str(EPOCHS), "--batch-size", "2"]
    sizes += ["--set", "train.frames=10", "--set", "data.dev_utterances=2"]
    return ["-m", "tinyprune", "train", *folders, *sizes]


def run(
    command: list[str], folder: Path, send: signal.Signals | None = None, of: str = ""
) -> tuple[int, list[str]]:
    """Exit code and stderr of a training that gets a signal as soon as it has finished one more epoch.

    ``of``: the variant that it is in then.
    """
    pipe = folder / "stderr"
    os.mkfifo(pipe)
    process = programs.start(command, folder, Path(os.devnull), pipe)
    lines = []
    with pipe.open() as said:
        for line in said:
            lines.append(line.rstrip())
            if send and re.search(rf"{of}: epoch \d+/", line):
                os.kill(process.pid, send)
                send = None
    process.join()
    pipe.unlink()
    return process.exitcode, lines


def finished(lines: list[str]) -> int:
    """The last epoch that a training said it finished."""
    return max(int(found[1]) for line in lines if (found := re.search(r": epoch (\d+)/", line)))


def continues(lines: list[str], stopped: list[str]) -> bool:
    """Whether no finished epoch was lost; one more is there if the signal came between its checkpoint and its line."""
    text = "\n".join(lines)
    (start,) = re.findall(rf"^baseline: continuing after epoch (\d+) of {EPOCHS}$", text, re.M)
    return int(start) in (finished(stopped), finished(stopped) + 1)


@pytest.mark.slow
def test_a_killed_training_continues_and_loses_no_finished_epoch(command, tmp_path):
    code, first = run(command, tmp_path, signal.SIGINT)
    assert (code, first[-1]) == (130, "interrupted; run the same command again to continue")
    assert finished(first) < EPOCHS

    code, second = run(command, tmp_path, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert continues(second, first)
    assert finished(first) < finished(second) < EPOCHS

    code, third = run(command, tmp_path)
    assert code == 0, third
    assert continues(third, second)

    baseline = tmp_path / "run" / "variants" / "baseline"
    with (baseline / "history.csv").open() as file:
        assert [int(row["epoch"]) for row in csv.DictReader(file)] == list(range(1, EPOCHS + 1))
    assert {"model.keras", "frontend.json", "size.json", "train.json"} <= {
        path.name for path in baseline.iterdir()
    }
    assert not list(baseline.glob("*.part*"))
    assert not list(baseline.glob(".*.part*"))

    code, fourth = run(command, tmp_path)  # and what is done is not done again
    assert code == 0
    assert fourth[-1].startswith("baseline: trained already, in ")
    assert not any(": epoch " in line for line in fourth)


RECIPE = """
[data]
name = "arrays"
arrays = "x.npz"

[model]
name = "mlp"

[train]
epochs = 30

[[prune]]
name = "fits"
method = "differentiable"
budget = {max_macs = "4k"}
epochs = 20
"""
LINE = "interrupted; run the same command again to continue"


@pytest.fixture
def recipe(tmp_path: Path) -> list[str]:
    """A run of an mlp and its pruning to a budget, on numbers; it takes seconds."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 16)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x, y=(x[:, 0] > 0).astype(np.int64))
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return ["-m", "tinyprune", "run", "recipe.toml", "--run", "run"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "number", "code"),
    [
        ("baseline", signal.SIGTERM, 143),
        ("fits", signal.SIGHUP, 129),
        ("fits", signal.SIGINT, 130),
    ],
)
def test_a_run_that_ends_by_a_signal_is_continued(recipe, tmp_path, variant, number, code):
    """In the training of the baseline, and in the pruning to a budget."""
    ended, first = run(recipe, tmp_path, number, of=variant)
    assert (ended, first[-1]) == (code, LINE)

    ended, second = run(recipe, tmp_path)
    assert ended == 0, second
    text = "\n".join(second)
    assert f"{variant}: continuing after epoch" in text
    folder = tmp_path / "run/variants"
    assert {"model.keras", "train.json"} <= {path.name for path in (folder / "fits").iterdir()}
    assert not list(folder.rglob("*.part*"))
