"""Sweeps of a run, from the command line."""

import importlib.util
import json

import pytest
from click.testing import CliRunner

from benchmarks.shared.clouds import write_clouds
from tests.support.flipping import flip
from tests.support.own_network import write_images
from tinyprune.artifacts.sweep import FAILED, SweepAnswer
from tinyprune.cli import main
from tinyprune.config import SweepConfig, SweepStep, TargetConfig
from tinyprune.errors import CheckFailed
from tinyprune.npu import targets
from tinyprune.search.space import every_chain
from tinyprune.stages.sweep_trial import TrialJob
from tinyprune.stages.trial_workers import Processes, default_jobs
from tinyprune.stages.variant_search import raise_without_ship

RECIPE = """
[data]
name = "images"
path = "images.npz"
augment = false
[model]
name = "tiny_net:build"
[train]
epochs = 3
batch_size = 8
learning_rate = 0.02
"""
SWEEP = """
[sweep]
costs = ["flash"]
[[sweep.step]]
sparsity = [0.3]
epochs = [2]
[[sweep.step]]
optional = true
sparsity = [0.6]
learning_rate = [0.001, 1e30]
epochs = [2]
"""
WIDTHS = """
[data]
name = "arrays"
arrays = "table.npz"
[model]
name = "mlp"
[train]
epochs = 5
batch_size = 16
[sweep]
costs = ["flash"]
width = [1, 0.5]
[[sweep.step]]
optional = true
sparsity = [0.5]
epochs = [2]
"""


@pytest.fixture
def recipe(tmp_path):
    """A recipe without a sweep."""
    write_images(tmp_path / "images.npz")
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE)
    return path


def run(recipe, *arguments):
    return CliRunner().invoke(
        main, ["sweep", str(recipe), "--run", str(recipe.parent / "run"), *map(str, arguments)]
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "sweep: the space is empty: give [[sweep.step]] tables"),
        (["--axis", "sparsity"], "--axis sparsity: expected NAME=A,B,..., e.g. sparsity=0.5,0.7"),
        (["--axis", "seed=0", "--axis", "seed=1"], "--axis seed is given twice: put its values"),
        (["--axis", "sparsty=0.5"], "unknown --axis 'sparsty': did you mean 'sparsity'?"),
        (["--axis", "sparsity=high"], "--axis sparsity.0: expected a number"),
        (["--axis", "structure=wieght"], "unknown structure 'wieght': did you mean 'weight'?"),
        (["--axis", "sparsity=0.5", "--cost", "flsh"], "unknown cost 'flsh'"),
        (["--axis", "sparsity=0.5", "--sampler", "cma"], "sweep.sampler: expected one of: auto"),
        (["--axis", "sparsity=0.5", "--jobs", "0"], "--jobs 0: expected a whole number"),
        (["--axis", "width=0.5,wide"], "--axis width.1: expected a number"),
        (["--axis", "width=0.5"], "sweep.width: tiny_net:build is of your own, and has the width"),
        (["--max-flash", "9k"], "'9k' can be read in several ways"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_leaves_nothing(recipe, arguments, message):
    found = run(recipe, *arguments)
    assert found.exit_code == 2, found.output
    assert message in found.stderr
    assert found.stderr.count("\n") == 1
    assert not (recipe.parent / "run").exists()


def test_without_optuna_the_line_to_type_is_said(recipe, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: None if name == "optuna" else find(name, *more),
    )
    found = run(recipe, "--axis", "sparsity=0.5")
    assert found.exit_code == 2
    assert found.stderr == (
        'error: tinyprune sweep needs optuna, which is not installed: pip install "tinyprune[sweep]"\n'
    )


def test_there_is_always_room_for_one_trial():
    assert default_jobs() >= 1


def test_on_one_thread_each_process_has_one_thread(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")  # as --deterministic sets it
    assert Processes(tmp_path, 2)._threads == 1
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "8")
    assert Processes(tmp_path, 2)._threads == 8 // 2


@pytest.mark.parametrize(
    ("nearest", "advice"),
    [("flash 12 kB of 10 kB", "try more --trials"), ("CPU operators 2 of 0", "with --allow-cpu")],
)
def test_where_nothing_keeps_the_limits_it_is_said_what_to_try(nearest, advice):
    target = targets.resolve("ethos-u55-128")
    found = SweepAnswer(1, target, "accuracy", (), {}, (), (), None, nearest)
    with pytest.raises(CheckFailed, match=advice):
        raise_without_ship(found)


def begin_two(workers: Processes) -> None:
    [(_, chain)] = every_chain(SweepConfig(step=(SweepStep(sparsity=(0.5,)),)), TargetConfig())
    target = targets.resolve("ethos-u55-128")
    for number in range(2):
        workers.begin(TrialJob(number, chain, (f"sweep-{number}",), target, halving=False))


@pytest.mark.slow
def test_the_trial_of_a_process_that_is_killed_goes_on_in_another_one(tmp_path, log_lines):
    with Processes(tmp_path, 2) as workers:
        begin_two(workers)
        assert not workers.has_room
        workers._workers[1].process.kill()
        records = {record.number: record for record in (workers.wait(), workers.wait())}
        assert workers.has_room
    assert "sweep-1 goes on in another process: its process was killed" in log_lines[0]
    for record in records.values():
        assert "no finished variant 'baseline'" in record.reason  # there is no run here


@pytest.mark.slow
def test_a_trial_whose_process_is_killed_twice_has_failed_alone(tmp_path, monkeypatch):
    start = Processes._started

    def started(self):
        worker = start(self)
        if len(self._workers) == 2:  # the second process, and what comes for it
            worker.process.kill()
        return worker

    monkeypatch.setattr(Processes, "_started", started)
    with Processes(tmp_path, 2) as workers:
        begin_two(workers)
        records = {record.number: record for record in (workers.wait(), workers.wait())}
    assert records[1].status == FAILED
    assert "was killed: is there enough memory? try fewer --jobs" in records[1].reason
    assert "no finished variant 'baseline'" in records[0].reason


@pytest.mark.slow
def test_a_process_that_is_killed_while_it_waits_is_replaced(tmp_path):
    with Processes(tmp_path, 1) as workers:
        [(_, chain)] = every_chain(SweepConfig(step=(SweepStep(sparsity=(0.5,)),)), TargetConfig())
        target = targets.resolve("ethos-u55-128")
        for number in range(2):
            workers.begin(TrialJob(number, chain, ("sweep-1",), target, halving=False))
            assert "no finished variant" in workers.wait().reason
            workers._workers[0].process.kill()
            workers._workers[0].process.join()


@pytest.mark.slow
def test_chains_share_what_they_begin_with_and_trials_are_variants(
    own_network, recipe, monkeypatch
):
    pytest.importorskip("optuna", reason="sweeps need optuna")
    recipe.write_text(RECIPE + SWEEP)
    arguments = ["--jobs", 1, "--no-halving", "--max-flash", "4kB", "--final", "--format", "json"]
    first = run(recipe, *arguments)
    assert first.exit_code == 0, first.output
    answer = json.loads(first.stdout)
    by_chain = {trial["chain"].replace(", 2 epochs", ""): trial for trial in answer["trials"]}
    shared, good, bad = sorted(by_chain.values(), key=lambda trial: trial["variant"])
    assert [trial["variant"] for trial in (shared, good, bad)] == ["sweep-1", "sweep-2", "sweep-3"]
    assert sorted(trial["status"] for trial in (good, bad)) == ["done", "failed"]
    names = {candidate["variant"] for candidate in answer["candidates"]}
    assert {"baseline", "sweep-1"} < names
    variants = recipe.parent / "run/variants"
    assert {"baseline", "sweep-1", "sweep-2"} <= {path.name for path in variants.iterdir()}
    assert answer["ship"]["variant"] in names
    assert answer["final"]["variant"] == answer["ship"]["variant"]

    from tinyprune.stages import evaluate, trial_workers

    def not_again(*arguments):
        raise AssertionError("nothing is done again")

    monkeypatch.setattr(trial_workers, "run_trial", not_again)
    monkeypatch.setattr(evaluate, "evaluate_models", not_again)
    second = run(recipe, *arguments)
    assert json.loads(second.stdout) == answer

    flip(variants / answer["ship"]["variant"] / "int8.tflite")
    changed = run(recipe, *arguments)
    assert changed.exit_code == 1
    assert "int8.tflite has changed since it was made: put it back" in changed.stderr
    flip(variants / answer["ship"]["variant"] / "int8.tflite")  # back again

    nothing = run(recipe, *arguments[:-2], "--max-flash", "100B")
    assert nothing.exit_code == 2  # two limits
    small = run(recipe, "--jobs", 1, "--no-halving", "--max-flash", "100B")
    assert small.exit_code == 3
    assert "nothing that was tried keeps the limits: the nearest is" in small.stderr


@pytest.mark.slow
def test_each_width_is_trained_once_and_chains_begin_with_it(tmp_path):
    """mlp of 64 and of 32 neurons, as they are and with half of the weights."""
    pytest.importorskip("optuna", reason="sweeps need optuna")
    write_clouds(tmp_path / "table.npz", {"train": 192, "dev": 64})
    recipe = tmp_path / "table.toml"
    recipe.write_text(WIDTHS)
    first = run(recipe, "--jobs", 1, "--format", "json")
    assert first.exit_code == 0, first.output
    by_chain = {trial["chain"]: trial for trial in json.loads(first.stdout)["trials"]}
    assert set(by_chain) == {
        "nothing is pruned",
        "weight-0.50 (2 epochs)",
        "width 0.5",
        "width 0.5, then weight-0.50 (2 epochs)",
    }
    assert by_chain["width 0.5"]["variant"] == "width-0.5"
    assert [trial["reason"] for trial in by_chain.values()] == [""] * 4
    costs = {chain: trial["costs"]["flash_bytes"] for chain, trial in by_chain.items()}
    assert costs["width 0.5"] < 0.7 * costs["nothing is pruned"]
    variants = tmp_path / "run/variants"
    trained = {path.name: path.stat().st_mtime_ns for path in variants.glob("*/train.json")}
    assert json.loads((variants / "width-0.5/variant.json").read_text())["model"]["width"] == 0.5
    again = run(recipe, "--jobs", 1, "--format", "json")
    assert json.loads(again.stdout) == json.loads(first.stdout)
    assert trained == {path.name: path.stat().st_mtime_ns for path in variants.glob("*/train.json")}
