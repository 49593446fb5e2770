"""Trackers of experiments: what they are sent, by packages that only remember it."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from click.testing import CliRunner

from tests.support import records
from tinyprune.artifacts.quality import TaskRecord
from tinyprune.cli import main
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.report.model.record import SCHEMA, ManifestEntry, RunReport, VariantRecord
from tinyprune.stages import trackers

SENT = {"float/accuracy": 0.5, "ethos-u55-128-shared-sram/flash_bytes": 100_000.0}


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run folder whose records are made by hand: a finished variant and one that is not."""
    (tmp_path / "model.keras").write_text("x")
    done = VariantRecord(
        name="weight-0.80",
        state="export",
        configuration={"prune": {"sparsity": 0.8, "exclude": [], "target": {"npu": "n"}}},
        qualities=(records.quality("float", accuracy=0.5, auc=float("nan")),),
        history=({"epoch": 1.0, "loss": 0.25}, {"epoch": 2.0, "loss": None}),
    )
    summary = records.run_summary(records.variant_summary("weight-0.80"))
    files = (ManifestEntry("model.keras", "0" * 64, 1, "weight-0.80/train"),)
    task = TaskRecord("classification", "accuracy", ("int8",))
    found = RunReport(
        SCHEMA, "night", "", {}, task, (done, VariantRecord("begun", "", {})), (summary,), files
    )
    monkeypatch.setattr(trackers, "collect_report", lambda space: found)
    return tmp_path


def test_mlflow_gets_settings_curves_results_and_files(report, monkeypatch):
    calls: list[tuple] = []

    class Run:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            calls.append(("end",))

    fake = ModuleType("mlflow")
    fake.set_experiment = lambda name: calls.append(("experiment", name))
    fake.start_run = lambda run_name: calls.append(("run", run_name)) or Run()
    fake.log_param = lambda name, value: calls.append((name, value))
    fake.log_metrics = lambda metrics, step=None: calls.append((step, metrics))
    fake.log_artifact = lambda path: calls.append(("file", Path(path).name))
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    trackers.log_run(report, "mlflow")
    *before, results, file, end = calls
    assert before == [
        ("experiment", "night"),
        ("run", "weight-0.80"),
        ("prune.sparsity", "0.8"),
        ("prune.target.npu", "n"),
        (1, {"training/epoch": 1.0, "training/loss": 0.25}),
        (2, {"training/epoch": 2.0}),
    ]
    assert results[0] is None
    assert {name: results[1][name] for name in SENT} == SENT
    assert "float/auc" not in results[1]  # it has no value
    assert (file, end) == (("file", "model.keras"), ("end",))


def test_wandb_gets_the_same(report, monkeypatch):
    logged: list[tuple] = []
    run = SimpleNamespace(
        log=lambda row, step: logged.append((step, row)),
        summary={},
        log_artifact=lambda artifact: logged.append(("artifact", artifact.files)),
        finish=lambda: logged.append(("finish",)),
    )

    class Artifact:
        def __init__(self, name, type):
            self.files: list[str] = [name, type]

        def add_file(self, path):
            self.files.append(Path(path).name)

    started = {}
    fake = ModuleType("wandb")
    fake.init = lambda **how: started.update(how) or run
    fake.Artifact = Artifact
    monkeypatch.setitem(sys.modules, "wandb", fake)
    trackers.log_run(report, "wandb")
    assert (started["group"], started["name"]) == ("night", "weight-0.80")
    assert started["config"] == {"prune.sparsity": 0.8, "prune.target.npu": "n"}
    assert {name: run.summary[name] for name in SENT} == SENT
    assert logged[-2:] == [
        ("artifact", ["night-weight-0.80", "model", "model.keras"]),
        ("finish",),
    ]


def test_a_tracker_that_refuses_is_one_line_and_says_that_nothing_is_lost(report, monkeypatch):
    fake = ModuleType("mlflow")
    fake.set_experiment = lambda name: (_ for _ in ()).throw(OSError("no server\nat all"))
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    with pytest.raises(TinypruneError, match=r"^mlflow took nothing .*\(no server\).* is complete"):
        trackers.log_run(report, "mlflow")


@pytest.mark.parametrize("name", ["mlflow", "wandb", "tensorboard"])
def test_an_extra_that_is_missing_is_said_before_anything_is_trained(name, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda package: None)
    line = rf'--log {name} needs {name}, which is not installed: pip install "tinyprune\[{name}\]"'
    with pytest.raises(UsageError, match=line):
        trackers.check_tracker(name)


def test_a_tracker_that_nobody_knows_is_said_at_once(tmp_path):
    result = CliRunner().invoke(main, ["train", "--run", str(tmp_path / "r"), "--log", "mlfow"])
    assert result.exit_code == 2
    assert "unknown tracker 'mlfow': did you mean 'mlflow'?" in result.stderr
    assert not (tmp_path / "r").exists()
