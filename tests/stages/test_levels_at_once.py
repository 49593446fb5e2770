"""A ladder that one training learns: a variant per level, exported without another training."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner

from tests.support import programs
from tinyprune.cli import main
from tinyprune.config import ArrayData, ModelConfig, RunConfig, TrainConfig
from tinyprune.stages.train import train_baseline

LEVELS = {"unit-0.25-at-once": 0.25, "unit-0.50-at-once": 0.5, "unit-0.75-at-once": 0.75}
PRUNE = ["prune", "--structure", "unit", "--sparsity", "0.25,0.5,0.75", "--at-once"]
SHORT = ["--round-to", "1", "--epochs", "6"]

pytestmark = pytest.mark.slow


def invoke(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments)])


def command(*arguments):
    result = invoke(*arguments)
    assert result.exit_code == 0, result.stderr
    return result


@pytest.fixture(scope="module")
def baseline(tmp_path_factory) -> Path:
    """A run that has learned three clouds of eight numbers."""
    folder = tmp_path_factory.mktemp("at_once")
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 400)
    x = rng.normal(size=(3, 8))[labels] * 2 + rng.normal(size=(400, 8))
    np.savez(folder / "clouds.npz", x=x.astype("float32"), y=labels)
    data = ArrayData(arrays=str(folder / "clouds.npz"))
    train_baseline(folder / "run", RunConfig(data, ModelConfig("mlp"), TrainConfig(epochs=6)))
    return folder / "run"


@pytest.fixture(scope="module")
def run(baseline) -> Path:
    command(*PRUNE, *SHORT, "--run", baseline)
    return baseline


def units(run: Path, variant: str) -> int:
    """Neurons of all layers but the last, which are those that may go."""
    model = keras.models.load_model(run / f"variants/{variant}/model.keras")
    dense = [layer for layer in model.layers if hasattr(layer, "units")]
    return sum(layer.units for layer in dense[:-1])


def accuracy(run: Path, variant: str) -> float:
    [of_float, _] = json.loads((run / f"variants/{variant}/quality.json").read_text())
    return of_float["metrics"]["accuracy"]


def test_every_level_is_a_variant_with_as_many_units(run):
    whole = units(run, "baseline")
    for variant, level in LEVELS.items():
        assert units(run, variant) == round((1 - level) * whole)
        assert accuracy(run, variant) > 0.8  # three classes


def test_one_training_has_learned_them_all(run):
    variants = run / "variants"
    first, *others = LEVELS
    history = (variants / first / "history.csv").read_text()
    assert len(history.splitlines()) == 1 + 6
    for variant in others:
        assert not (variants / variant / "checkpoint.npz").exists()
        assert (variants / variant / "history.csv").read_text() == history
        claim = json.loads((variants / variant / "variant.json").read_text())
        assert claim["prune"]["trained_in"] == first


def test_the_mean_of_the_levels_is_what_the_best_epoch_had(run):
    first = next(iter(LEVELS))
    lines = (run / f"variants/{first}/history.csv").read_text().splitlines()
    columns = lines[0].split(",")
    scores = [float(line.split(",")[columns.index("dev_accuracy")]) for line in lines[1:]]
    mean = np.mean([accuracy(run, variant) for variant in LEVELS])
    assert min(abs(score - mean) for score in scores[3:]) < 0.02  # after the masks are final


def test_they_are_compiled_verified_and_reported_as_others_are(run):
    command("compile", "--run", run, "--npu", "ethos-u55-128")
    report = json.loads(command("report", "--run", run, "--format", "json").stdout)
    [summary] = report["summaries"]
    flash = {row["name"]: row["report"]["flash_bytes"] for row in summary["variants"]}
    sizes = [flash["baseline"], *(flash[variant] for variant in LEVELS)]
    assert sizes == sorted(sizes, reverse=True)
    command("verify", "--run", run)
    text = command("card", "unit-0.50-at-once", "--run", run).stdout
    assert "| prune.levels | 0.25, 0.5, 0.75 |" in text


def test_the_same_again_trains_nothing(run):
    found = command(*PRUNE, *SHORT, "--run", run)
    assert found.stderr.count("pruned already") == 3


def test_a_level_that_was_deleted_is_made_again_without_training(run):
    folder = run / "variants/unit-0.75-at-once"
    before = (folder / "int8.tflite").read_bytes()
    shutil.rmtree(folder)
    found = command(*PRUNE, *SHORT, "--run", run)
    assert ": epoch" not in found.stderr
    assert (folder / "int8.tflite").read_bytes() == before


def test_zeros_are_learned_at_once_too_under_a_name_of_ones_own(run):
    found = ["prune", "--sparsity", "0.3,0.6", "--at-once", "--epochs", "4", "--name", "slim"]
    command(*found, "--run", run)
    for variant, level in {"slim-1": 0.3, "slim": 0.6}.items():
        tensors = json.loads((run / f"variants/{variant}/int8.json").read_text())["tensors"]
        zeros = sum(tensor["masked"] for tensor in tensors)
        assert zeros == pytest.approx(level * sum(tensor["size"] for tensor in tensors), abs=1)
    claim = json.loads((run / "variants/slim/variant.json").read_text())
    assert claim["prune"]["trained_in"] == "slim-1"


def test_a_changed_training_is_not_believed(run):
    best = run / "variants/slim-1/best.npz"
    content = bytearray(best.read_bytes())
    content[len(content) // 2] ^= 1
    best.write_bytes(content)
    (run / "variants/slim/train.json").unlink()
    found = ["prune", "--sparsity", "0.3,0.6", "--at-once", "--epochs", "4", "--name", "slim"]
    result = invoke(*found, "--run", run)
    assert result.exit_code == 1
    assert "best.npz" in result.stderr


def test_a_killed_training_goes_on_and_ends_the_same(baseline, tmp_path):
    arguments = ["-m", "tinyprune", *PRUNE, *SHORT, "--deterministic", "--name", "killed", "--run"]
    without = shutil.ignore_patterns("unit-*", "slim*")
    whole = shutil.copytree(baseline, tmp_path / "whole", ignore=without)
    again = shutil.copytree(baseline, tmp_path / "again", ignore=without)
    assert programs.run([*arguments, str(whole)], tmp_path).returncode == 0
    process = programs.start(
        [*arguments, str(again)], tmp_path, tmp_path / "stdout", tmp_path / "stderr"
    )
    checkpoint = again / "variants/killed-1/checkpoint.npz"
    while process.is_alive() and not checkpoint.exists():
        process.join(0.02)
    process.kill()
    process.join()
    assert programs.run([*arguments, str(again)], tmp_path).returncode == 0
    for variant in ("killed-1", "killed-2", "killed"):
        graph = f"variants/{variant}/int8.tflite"
        assert (again / graph).read_bytes() == (whole / graph).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sparsity", "0.5"], "expected a ladder, e.g. --sparsity 0.25,0.5,0.75"),
        ([], "expected a ladder"),
        (
            ["--sparsity", "0.25,0.5", "--structure", "low-rank"],
            "low-rank has no levels that share weights: try weight, block or unit",
        ),
        (["--sparsity", "0.2,0.5", "--offline", "x.tflite"], "--at-once goes with training"),
        (
            ["--structure", "unit", "--sparsity", "0.25,0.5", "--round-to", "1"],
            "exists with another configuration",
        ),
    ],
)
def test_what_is_no_ladder_is_refused(run, arguments, said):
    result = invoke("prune", "--run", run, "--at-once", *arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
