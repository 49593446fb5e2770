"""What can be wrong with models and recordings that are scored, and what is done about it: one line, or counted."""

import csv
import json
import shutil

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from tinyprune.cli import main

WRONG_USAGE, FAILED, CHECK_FAILED = 2, 1, 3


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def error_of(result, code=WRONG_USAGE):
    assert result.exit_code == code, result.output
    lines = result.stderr.splitlines()
    assert lines[-1].startswith("error: ")
    return lines[-1].removeprefix("error: ")


@pytest.fixture
def recordings(tmp_path):
    """Flags for four pairs: two of a second, one of 10 ms, one whose clean file is silent."""
    rng, folders = np.random.default_rng(0), [tmp_path / name for name in ("noisy", "clean")]
    for name, samples, level in (
        ("a", 16_000, 0.1),
        ("b", 16_000, 0.1),
        ("short", 160, 0.1),
        ("silent", 16_000, 0.0),
    ):
        clean = level * rng.normal(size=samples)
        for folder, signal in zip(
            folders, (clean + 0.02 * rng.normal(size=samples), clean), strict=True
        ):
            folder.mkdir(exist_ok=True)
            soundfile.write(folder / f"{name}.wav", signal, 16_000)
    return ["--noisy", folders[0], "--clean", folders[1]]


@pytest.fixture
def variant(finished_run):
    """The folder of a variant."""
    return finished_run.folder / "variants" / "weight-0.80"


def test_what_cannot_be_scored_is_left_out_and_counted(variant, recordings, tmp_path):
    files = tmp_path / "out" / "files.csv"
    metrics = [flag for name in ("si-sdr", "sdr", "stoi") for flag in ("--metric", name)]
    result = invoke(
        "evaluate",
        variant / "streaming.tflite",
        *recordings,
        *metrics,
        "--format",
        "json",
        "--files",
        files,
    )
    assert result.exit_code == 0, result.output
    assert "1 of 4 pairs" in result.stderr
    assert "silent" in result.stderr
    assert "NaN" not in result.stdout
    found = json.loads(result.stdout)
    assert found["items"] == 3
    undefined = {name: figure["undefined"] for name, figure in found["rows"][0]["metrics"].items()}
    assert undefined == {"si_sdr_db": 0, "sdr_db": 1, "stoi": 1}  # the one of 10 ms
    with files.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["file"], row["form"], bool(row["stoi"])) for row in rows] == [
        (name, form, name != "short")
        for form in ("noisy", "streaming")
        for name in ("a", "b", "short")
    ]


def test_a_file_without_a_front_end(variant, recordings, tmp_path):
    path = shutil.copy(variant / "streaming.tflite", tmp_path)
    assert error_of(invoke("evaluate", path, *recordings)).startswith(
        f"no front end beside {path}: give "
    )
    record = variant.parent / "baseline" / "frontend.json"
    assert (
        invoke("evaluate", path, *recordings, "--frontend", record, "--metric", "si-sdr").exit_code
        == 0
    )


def test_a_front_end_that_does_not_fit(variant, recordings, tmp_path):
    path, record = variant / "model.keras", tmp_path / "other.json"
    frontend = json.loads((variant.parent / "baseline" / "frontend.json").read_text())
    record.write_text(json.dumps(frontend | {"bands": 4, "mean": [0.0] * 4, "std": [1.0] * 4}))
    line = error_of(invoke("evaluate", path, *recordings, "--frontend", record))
    assert line == f"{path} takes inputs of shape (None, 128): the data have (None, 4)"
    record.write_text("{}")
    line = error_of(invoke("evaluate", path, *recordings, "--frontend", record))
    assert line.startswith(f"{record} is not the front end of a speech-enhancement network")


def test_a_tflite_that_is_no_network_of_speech(networks, recordings):
    path = networks.dense()
    line = error_of(invoke("evaluate", path, *recordings))
    assert line == (
        f"{path} takes inputs of shape (1, 16) and gives (1, 8): a network of speech takes and gives "
        "(1, frames, mel bands)"
    )


def test_a_tflite_that_is_not_int8(networks, recordings):
    path = networks.dense_float()
    assert error_of(invoke("evaluate", path, *recordings)).startswith(
        f"{path} is not an int8 network: input "
    )


@pytest.mark.parametrize("name", ["text.tflite", "text.keras"])
def test_a_file_that_is_no_model(recordings, tmp_path, name):
    (tmp_path / name).write_text("text")
    assert error_of(invoke("evaluate", tmp_path / name, *recordings)).startswith(
        f"{tmp_path / name} is no"
    )


def test_a_file_that_is_missing(recordings):
    line = error_of(invoke("evaluate", "gone.tflite", *recordings))
    assert line.startswith("there is no file gone.tflite: expected ")


def test_files_without_recordings_and_without_a_run(variant, tmp_path):
    line = error_of(invoke("evaluate", variant / "streaming.tflite", "--run", tmp_path / "none"))
    assert line.endswith(
        "run `tinyprune train` first; or give what to score the files on: --noisy DIR --clean DIR"
    )
    assert not (tmp_path / "none").exists()


def test_recordings_that_are_no_pairs(variant, recordings, tmp_path):
    (tmp_path / "other").mkdir()
    soundfile.write(tmp_path / "other" / "x.wav", np.ones(100) / 2, 16_000)
    line = error_of(
        invoke("evaluate", variant / "streaming.tflite", *recordings[:3], tmp_path / "other")
    )
    assert line.startswith(f"no file in {tmp_path / 'noisy'} has the name of one in ")
    line = error_of(invoke("evaluate", variant / "streaming.tflite", *recordings[:2]))
    assert line == "--noisy and --clean go together: give both or none"
    line = error_of(
        invoke("evaluate", variant / "streaming.tflite", *recordings, "--path", tmp_path)
    )
    assert line.endswith("give one of the three")


def test_pesq_that_is_not_installed(variant, recordings, monkeypatch):
    monkeypatch.setattr(
        "tinyprune.metrics.metric.Metric.is_installed", property(lambda metric: not metric.package)
    )
    line = error_of(
        invoke("evaluate", variant / "streaming.tflite", *recordings, "--metric", "pesq")
    )
    assert (
        line
        == 'pesq-wb needs pesq, which is not installed: pip install "tinyprune[pesq]", or leave it out'
    )


@pytest.mark.slow
def test_a_form_that_a_variant_does_not_have(finished_run):
    line = error_of(invoke("evaluate", "baseline:int8", "--run", finished_run.folder))
    assert line == "variant 'baseline' has no form 'int8': expected float or streaming or sequence"


def test_a_drop_that_is_too_far_is_a_failed_check(variant, recordings):
    """Untrained networks differ by more than nothing, one way or the other."""
    models = [variant / "streaming.tflite", variant.parent / "baseline" / "streaming.tflite"]
    flags = (*recordings, "--metric", "si-sdr", "--max-drop", "si-sdr=0")
    one, other = (invoke("evaluate", *pair, *flags) for pair in (models, models[::-1]))
    assert sorted((one.exit_code, other.exit_code)) == [0, CHECK_FAILED]
    line = error_of(one if one.exit_code else other, CHECK_FAILED)
    assert " below " in line
    assert "; allowed 0.00 dB" in line


def test_a_gate_needs_two(variant, recordings, finished_run):
    for where in (
        [variant / "streaming.tflite", *recordings],
        ["baseline", "--run", finished_run.folder],
    ):
        line = error_of(invoke("evaluate", *where, "--max-drop", "sdr=0.1"))
        assert line == f"--max-drop holds models to the first one: name another beside {where[0]}"
