"""A byte that flips in any file of a finished run: what is reported is right, or refused."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.flipping import files_of, flip
from tests.support.runs import strip_digests
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.cli import main
from tinyprune.config import MagnitudePruning
from tinyprune.enhance.denoiser import find_graph
from tinyprune.errors import TinypruneError
from tinyprune.report.model.collection import collect_report
from tinyprune.stages.compile import compile_variants
from tinyprune.stages.evaluate import evaluate_models
from tinyprune.stages.export import export_variant
from tinyprune.stages.prune import plan_pruning, prune_variants
from tinyprune.stages.verify import verify_run
from tinyprune.storage.run_folder import Workspace

PRUNED = "variants/weight-0.80"
TARGET = NpuTarget("ethos-u55-128", "Ethos_U55_High_End_Embedded", "Shared_Sram")
WITHOUT_DIGEST = {"best.npz", "checkpoint.npz"}


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_finished_run_is_verified(finished_run):
    states = {file.path: file.state for file in verify_run(finished_run.folder)}
    assert "changed" not in states.values()
    assert "missing" not in states.values()
    unverified = {Path(name).name for name, state in states.items() if state == "unverified"}
    assert unverified <= WITHOUT_DIGEST
    assert {f"{PRUNED}/variant.json", f"{PRUNED}/streaming.tflite"} <= states.keys()


def test_every_flipped_byte_is_found(run_copy, finished_run):
    for path in files_of(run_copy):
        flip(path)
        name = path.relative_to(run_copy).as_posix()
        states = {file.path: file.state for file in verify_run(run_copy)}
        assert states[name] == "changed", name
        shutil.copy2(finished_run.folder / name, path)


def test_what_stands_on_a_changed_network_is_refused(run_copy, tiny_sizes):
    flip(run_copy / PRUNED / "model.keras")
    stages = [
        lambda: export_variant(run_copy, "weight-0.80"),
        lambda: evaluate_models(run_copy, ["weight-0.80:float"]),
        lambda: prune_variants(run_copy, [MagnitudePruning(epochs=2)]),
        lambda: plan_pruning(run_copy, MagnitudePruning(base="weight-0.80", sparsity=0.9)),
    ]
    for stage in stages:
        with pytest.raises(
            TinypruneError, match=r"model\.keras has changed since it was made: put"
        ):
            stage()


def test_a_changed_graph_is_neither_heard_nor_reported_as_it_was(run_copy):
    flip(run_copy / PRUNED / "streaming.tflite")
    with pytest.raises(TinypruneError, match=r"streaming\.tflite has changed"):
        find_graph(run_copy, "weight-0.80")
    report = collect_report(Workspace(run_copy))
    assert report.changed == {"weight-0.80"}
    assert "streaming.tflite has changed since it was made: put it back" in report.notes[0]
    table, _, notes = invoke("report", "--run", run_copy).stdout.partition("dev split")
    assert table.count("changed") == 2  # of one variant, in the two tables that name it
    assert "has changed since it was made" in " ".join(notes.split())


def test_an_edited_summary_is_not_compared(run_copy):
    [summary] = run_copy.glob("summary-*.json")
    flip(summary)
    result = invoke("compare", "baseline", "weight-0.80", "--run", run_copy)
    assert result.exit_code == 1
    assert (
        "has changed since it was written: put it back, or run `tinyprune compile`" in result.stderr
    )


@pytest.mark.parametrize("side", ["variant", "folder", "variant of a folder"])
def test_a_variant_whose_graph_has_changed_is_not_compared(side, run_copy):
    texts = {
        "variant": ("baseline", "weight-0.80"),
        "folder": (f"{run_copy}", f"{run_copy}"),
        "variant of a folder": (f"{run_copy}:baseline", f"{run_copy}:weight-0.80"),
    }[side]
    found = invoke("compare", *texts, "--run", run_copy)
    assert found.exit_code in (0, 3), found.output
    flip(run_copy / "variants/weight-0.80/streaming.tflite")
    result = invoke("compare", *texts, "--run", run_copy)
    assert result.exit_code == 1
    assert "streaming.tflite has changed since it was made: put it back" in result.stderr


@pytest.mark.slow
def test_a_graph_that_was_deleted_is_made_again_as_it_was(run_copy, finished_run, tiny_sizes):
    path = run_copy / "variants/baseline/streaming.tflite"
    flip(path)
    path.unlink()
    [summary] = compile_variants(run_copy, [TARGET])
    assert summary == finished_run.summary


def test_a_run_of_0_1_0_is_said_to_be_unverified_and_never_refused(run_copy, finished_run):
    strip_digests(run_copy)
    [summary] = compile_variants(run_copy, [TARGET])
    assert summary == finished_run.summary
    result = invoke("verify", run_copy, "--format", "csv")
    assert result.exit_code == 0, result.stderr
    assert f"{PRUNED}/variant.json,unverified" in result.stdout.splitlines()


def test_the_command_shows_what_is_wrong_and_exits_1(run_copy):
    good = invoke("verify", run_copy)
    assert good.exit_code == 0, good.stderr
    flip(run_copy / PRUNED / "quality.json")
    (run_copy / PRUNED / "plan.json").unlink()
    bad = invoke("verify", "--run", run_copy, "--format", "csv")
    assert bad.exit_code == 1
    assert f"{PRUNED}/quality.json,changed" in bad.stdout.splitlines()
    assert f"{PRUNED}/plan.json,missing" in bad.stdout.splitlines()
    assert "error: 2 of " in bad.stderr


def test_no_run_is_one_line(tmp_path):
    result = invoke("verify", tmp_path / "none")
    assert result.exit_code == 2
    assert "there is no run in" in result.stderr
