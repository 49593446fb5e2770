"""A run of a network with two inputs and three outputs through every stage."""

import json
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from tests.support import several
from tinyprune.cli import main


def command(*arguments):
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert result.exit_code == 0, result.stderr
    return result


def arrays(count: int = 500) -> dict[str, np.ndarray]:
    """Inputs by name, and what follows from them."""
    inputs = several.inputs(count)
    angle, picture = inputs["angle"] / 10, inputs["picture"]
    return {
        "x_angle": inputs["angle"],
        "x_picture": picture,
        "y_kind": (angle[:, 0] > 0).astype(int) + (angle[:, 1] > 0),
        "y_box": np.stack([100 * angle[:, 2] + 50, angle[:, 0]], 1),
        "y_alarm": np.stack([angle[:, 2] > 0, angle[:, 1] > 0], 1).astype(int),
    }


@pytest.mark.slow
def test_every_stage_takes_several_inputs_and_outputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    (tmp_path / "mine.py").write_text("from tests.support.several import network\n")
    np.savez("file.npz", **arrays())
    run = ["--run", "run"]
    command(
        *("train", "--arrays", "file.npz", "--model", "mine:network", "--epochs", 20, *run),
        *("--loss", "kind=focal,box=huber", "--loss-weights", "box=2", "--batch-size", 32),
    )
    command("prune", *run, "--structure", "unit", "--sparsity", 0.5, "--epochs", 10)
    command("prune", *run, "--offline", "run/variants/baseline/int8.tflite", "--sparsity", 0.3)
    command("compile", *run, "--npu", "ethos-u55-128")

    qualities = json.loads((tmp_path / "run/variants/unit-0.50/quality.json").read_text())
    by_form = {each["form"]: each["metrics"] for each in qualities}
    assert by_form["float"]["kind.accuracy"] > 0.7
    assert by_form["float"]["alarm.f1"] > 0.7
    assert by_form["float"]["box.r2"] > 0.7
    for metric, value in by_form["float"].items():
        assert by_form["int8"][metric] == pytest.approx(value, abs=0.05)

    shown = json.loads(
        command(
            *("evaluate", "baseline", "run/variants/unit-0.50/int8.tflite", *run),
            *("--metric", "mean-score", "--metric", "box.mse", "--format", "json"),
        ).stdout
    )
    # an error in the unit of the data: the variance of the first number is 10000, over two
    errors = [row["metrics"]["box.mse"]["value"]["mean"] for row in shown["rows"]]
    assert all(1 < error < 0.3 * 10000 / 2 for error in errors)
    assert "mean score" in command("report", *run).stdout

    made = command(
        *("prune", "--offline", "run/variants/baseline/int8.tflite", "--sparsity", 0.3),
        *("--output", "other.tflite", "--data", "file.npz"),
    )
    assert "the worst output" in made.stdout
