"""Runs on arrays through every stage: numbers, several labels, and an autoencoder."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tinyprune.cli import main
from tinyprune.config import ArrayData, MagnitudePruning, RunConfig, TrainConfig
from tinyprune.models import mlp
from tinyprune.stages.prune import prune_variants
from tinyprune.stages.train import train_baseline

TRAIN = TrainConfig(epochs=12, batch_size=32, learning_rate=0.02)
PRUNE = MagnitudePruning(structure="unit", sparsity=0.25, epochs=6)


def command(*arguments):
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert result.exit_code == 0, result.stderr
    return result


def features(count=400, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def numbers(tmp_path_factory) -> Path:
    """A run that learns two numbers of different sizes from four features."""
    folder = tmp_path_factory.mktemp("numbers")
    x = features()
    np.savez(folder / "file.npz", x=x, y=np.stack([x[:, 0] + x[:, 1], 1000 * x[:, 2] + 50], 1))
    data = ArrayData(arrays=str(folder / "file.npz"))
    train_baseline(folder / "run", RunConfig(data=data, train=TRAIN))
    prune_variants(folder / "run", [PRUNE])
    return folder / "run"


@pytest.mark.slow
def test_numbers_are_learned_pruned_and_exported_in_their_unit(numbers):
    quality = json.loads((numbers / "variants/unit-0.25/quality.json").read_text())
    by_form = {each["form"]: each["metrics"] for each in quality}
    assert by_form["float"]["r2"] > 0.9
    assert by_form["int8"]["r2"] == pytest.approx(by_form["float"]["r2"], abs=0.02)
    # the variance of the second number is a million: a tenth of it, over two numbers
    assert by_form["int8"]["mse"] < 0.1 * 1e6 / 2


@pytest.mark.slow
def test_errors_are_better_the_lower_they_are(numbers):
    report = json.loads(command("report", "--run", numbers, "--format", "json").stdout)
    assert report["task"]["metric"] == "r2"
    command("compile", "--run", numbers, "--npu", "ethos-u55-128")
    shown = command(
        "evaluate", "--run", numbers, "--metric", "mse", "--split", "test", "--format", "json"
    )
    assert {row["form"] for row in json.loads(shown.stdout)["rows"]} == {"float", "int8"}
    rows = json.loads(command("evaluate", "--run", numbers, "--format", "json").stdout)["rows"]
    errors = {
        row["model"]: row["metrics"]["mse"]["value"]["mean"]
        for row in rows
        if row["form"] == "int8"
    }
    better, worse = sorted(errors, key=errors.get)
    held = ["evaluate", f"{better}:int8", f"{worse}:int8", "--run", numbers, "--max-drop"]
    assert CliRunner().invoke(main, [*map(str, held), "mse=1e9"]).exit_code == 0
    refused = CliRunner().invoke(main, [*map(str, held), "mse=0"])
    assert refused.exit_code == 3
    assert f"above {better} int8" in refused.stderr


def test_a_loss_or_network_of_another_task_is_refused(tmp_path):
    np.savez(tmp_path / "file.npz", x=features(), y=features()[:, :2])
    train = ["train", "--arrays", str(tmp_path / "file.npz"), "--run", str(tmp_path / "run")]
    for more, line in (
        (
            ["--loss", "focal"],
            "train.loss: 'focal' is no loss of regression: expected mse, mae, hu",
        ),
        (
            ["--class-weights", "balanced"],
            "train.class_weights: regression has no classes to weigh",
        ),
        (
            ["--model", "conv1d"],
            "conv1d takes inputs of shape (time, features), and this data has (4,)",
        ),
    ):
        result = CliRunner().invoke(main, [*train, *more])
        assert result.exit_code == 2
        assert line in result.stderr


@pytest.mark.slow
def test_labels_and_an_autoencoder_go_the_same_way(tmp_path):
    x = features()
    arrays = {
        "labels": {"x": x, "y": (x[:, :3] > 0).astype(int)},
        "input": {"x": x[:, [0, 1, 0, 1]]},
    }
    best = {}
    for name, content in arrays.items():
        np.savez(tmp_path / f"{name}.npz", **content)
        data = ArrayData(arrays=str(tmp_path / f"{name}.npz"))
        train_baseline(tmp_path / name, RunConfig(data=data, train=TRAIN))
        [*_, (_, int8)] = prune_variants(tmp_path / name, [PRUNE])
        best[name] = int8.metrics
    assert best["labels"]["f1"] > 0.8
    assert best["input"]["mse"] < 0.5


def test_the_last_layer_of_a_registered_network_fits_the_task():
    model = mlp.build((4,), 2, activation="linear")
    assert model.layers[-1].activation.__name__ == "linear"
