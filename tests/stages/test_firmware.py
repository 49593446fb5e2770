"""C sources of the variants of a run."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.compilers import needs_gcc
from tinyprune.npu import targets
from tinyprune.stages.firmware import FirmwareOptions, firmware_of_run

pytestmark = [needs_gcc, pytest.mark.slow]


def options(folder: Path) -> FirmwareOptions:
    return FirmwareOptions(targets.resolve("ethos-u55-128"), folder)


def passes(folder: Path) -> bool:
    done = subprocess.run(["make", "-C", str(folder), "test"], capture_output=True, text=True)
    return done.returncode == 0 and "passed" in done.stdout


def test_of_a_run_on_speech_the_newest_variant_is_taken(finished_run, tmp_path):
    newest = firmware_of_run(finished_run.folder, None, options(tmp_path / "newest"))
    assert (newest.record.name, newest.record.kind) == ("weight_0_80", "speech")
    assert newest.notes == ()
    assert passes(newest.folder)
    baseline = firmware_of_run(finished_run.folder, "baseline", options(tmp_path / "baseline"))
    assert baseline.record.name == "baseline"
    assert baseline.record.constant_bytes > newest.record.constant_bytes


def test_of_a_run_on_pictures_pixels_are_normalised_and_classes_named(image_run, tmp_path):
    made = firmware_of_run(image_run.folder, "weight-0.50", options(tmp_path / "out"))
    assert made.record.kind == "numbers"
    assert made.notes == ()
    source = (made.folder / f"src/{made.record.name}.c").read_text()
    task = json.loads((image_run.folder / "variants/baseline/task.json").read_text())
    for name in task["classes"]:
        assert f'"{name}",' in source
    assert f"{made.record.name}_input_mean" in source
    assert passes(made.folder)
