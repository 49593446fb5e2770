"""A run of anomaly detection on synthetic machines, through every stage at tiny sizes."""

import json

import pytest
from click.testing import CliRunner

from tinyprune.cli import main
from tinyprune.data.synthetic import machines


@pytest.fixture
def few_clips(monkeypatch):
    monkeypatch.setattr(machines, "TRAINED", 12)
    monkeypatch.setattr(machines, "TESTED", 4)
    monkeypatch.setattr(machines, "SECONDS", 2.0)


def command(*arguments):
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def _firmware_has_its_front_end(folder):
    made = json.loads(
        command("firmware", "--run", folder / "run", "-o", folder / "firmware", "--format", "json")
    )
    assert made["kind"] == "anomaly"
    header = (folder / "firmware" / "src" / f"{made['name']}.h").read_text()
    assert "_SAMPLES 3072 " in header  # 1024 + 4 * 512


@pytest.mark.slow
def test_machines_are_told_apart_one_by_one(tmp_path, few_clips):
    run = ["--run", tmp_path / "run"]
    command("train", "--data", "anomaly", *run, "--epochs", 4, "--set", "data.dev_share=0.5")
    command("prune", *run, "--structure", "weight", "--sparsity", 0.5, "--epochs", 2)
    task = json.loads((tmp_path / "run/variants/baseline/task.json").read_text())
    assert (task["name"], task["metric"]) == ("anomaly", "auc")
    history = (tmp_path / "run/variants/baseline/history.csv").read_text()
    assert "dev_mse" in history.splitlines()[0]
    _firmware_has_its_front_end(tmp_path)

    shown = json.loads(command("evaluate", *run, "--split", "test", "--format", "json"))
    assert shown["metrics"] == ["auc", "partial_auc", "mse"]
    for row in shown["rows"]:
        of_machines = row["by_category"]
        assert sorted(of_machines) == ["machines-0 id_00", "machines-0 id_01"]
        areas = [figures["auc"]["value"]["mean"] for figures in of_machines.values()]
        assert row["metrics"]["auc"]["value"]["mean"] == pytest.approx(sum(areas) / 2)
        assert row["metrics"]["auc"]["value"]["mean"] > 0.5
