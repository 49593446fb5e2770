"""Every measurement of benchmarks/run.py still runs, at toy sizes, and its report has the shape that readers expect."""

import json
from pathlib import Path

import pytest

from benchmarks.run import LIMIT_MISSED, MEASUREMENTS, ROOT
from tests.support import programs
from tinyprune import extras

#: Measurement -> the options that keep its toy size small.
OPTIONS = {
    "differentiable": ("--only", "ds_cnn"),
    "gate_steps": ("--only", "ds_cnn"),
}
#: Measurement -> the package of an extra that it needs.
NEEDS = {"sweep_schedule": "optuna", "sweep_engines": "ray"}


def assert_is_report(report: dict, name: str) -> None:
    assert report["name"] == name
    assert report["title"].endswith(".")
    assert report["processor"]
    assert report["cores"] >= 1
    assert report["cases"]
    for case in report["cases"]:
        assert set(case) == {"what", "unit", "median", "samples"}
        assert min(case["samples"]) <= case["median"] <= max(case["samples"])
    for check in report["checks"]:
        assert set(check) == {"what", "value", "unit", "limit", "at_least", "holds"}
        assert isinstance(check["value"], int | float)
    assert all(isinstance(note, str) for note in report["notes"])


@pytest.mark.slow
@pytest.mark.parametrize("name", MEASUREMENTS)
def test_a_measurement_runs_and_reports(name: str, tmp_path: Path) -> None:
    if name in NEEDS and not extras.is_installed(NEEDS[name]):
        pytest.skip(f"{name} needs {NEEDS[name]}")
    folders = ["--results", str(tmp_path / "results"), "--work", str(tmp_path / "work")]
    command = ["benchmarks/run.py", name, "--smoke", *folders, *OPTIONS.get(name, ())]
    done = programs.run(command, ROOT)
    assert done.returncode in (0, LIMIT_MISSED), done.stderr[-3000:]
    report = json.loads((tmp_path / "results" / f"{name}.json").read_text())
    assert_is_report(report, name)
    assert name in done.stdout


def test_every_measurement_is_in_the_table_and_in_its_folder() -> None:
    modules = {path.stem for path in (ROOT / "benchmarks").glob("[snq]*/*.py")}
    assert set(MEASUREMENTS) <= modules
    for name, folder in MEASUREMENTS.items():
        source = (ROOT / "benchmarks" / folder / f"{name}.py").read_text()
        assert "def measure(" in source, name


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks" / "results").glob("*.json")))
def test_a_stored_result_names_its_machine(path: Path) -> None:
    assert_is_report(json.loads(path.read_text()), path.stem)
