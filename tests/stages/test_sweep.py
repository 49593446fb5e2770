"""Sweeps of real networks and of finished audio, from the command line."""

import csv
import json
import shutil

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from tinyprune.cli import main

RATE = 16_000


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Flags for one pair of a third of a second."""
    folder = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(0)
    clean = 0.1 * rng.normal(size=RATE // 3)
    for kind, noise in (("clean", 0), ("noisy", 0.05)):
        (folder / kind).mkdir()
        samples = clean + noise * rng.normal(size=len(clean))
        soundfile.write(folder / kind / "a.wav", samples, RATE)
    return ["--noisy", folder / "noisy", "--clean", folder / "clean"]


def run(*arguments):
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


def test_levels_of_one_pair_as_json_and_per_file(pairs, tmp_path):
    found = run(
        *("pretrained", "pretrained", *pairs, "--sweep", "level,clean", "--format", "json"),
        *("--files", tmp_path / "files.csv"),
    )
    assert found.exit_code == 0, found.output
    report = json.loads(found.stdout)
    levels = [row for row in report["rows"] if row["sweep"] == "level"]
    assert [row["condition"] for row in levels][:2] == ["-10 dBFS", "-20 dBFS"]
    assert {row["files"] for row in levels} == {1}
    assert {row["model"] for row in levels} == {"pretrained"}
    assert np.ptp([row["input_db"] for row in levels]) < 1e-3
    assert report["thresholds"]["clean_worst_db"] == 15
    with (tmp_path / "files.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(report["rows"])


def test_what_another_program_makes_of_the_recordings_stands_beside(pairs, tmp_path):
    """Here it gives back the clean speech, a hop later: 60 dB is the best there is."""
    inputs = tmp_path / "inputs"
    written = run("pretrained", *pairs, "--sweep", "snr", "--sweep-inputs", inputs)
    assert written.exit_code == 0, written.output
    names = sorted(path.relative_to(inputs) for path in inputs.rglob("*.wav"))
    assert len(names) == 2 * 6
    for path in sorted((inputs / "clean").rglob("*.wav")):
        samples, rate = soundfile.read(path)
        other = tmp_path / "other" / path.relative_to(inputs / "clean")
        other.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(other, np.concatenate([np.zeros(256), samples]), rate, subtype="FLOAT")
    found = run(
        *("pretrained", *pairs, "--sweep", "snr", "--enhanced", tmp_path / "other"),
        *("--format", "csv"),
    )
    rows = list(csv.DictReader(found.stdout.splitlines()))
    others = [row for row in rows if row["form"] == "audio"]
    assert len(others) == len(rows) / 2 == 6
    assert {float(row["output_db"]) for row in others} == {60.0}

    shutil.rmtree(tmp_path / "other/snr/5-dB")
    lacking = run("pretrained", *pairs, "--sweep", "snr", "--enhanced", tmp_path / "other")
    assert lacking.exit_code == 2
    assert "lacks 1 recordings of the sweep" in lacking.stderr
    assert "--sweep-inputs" in lacking.stderr


def test_strict_fails_where_limits_are_found_and_else_they_are_one_line(pairs):
    """The shipped denoiser takes noise away: here the speech is noise."""
    loose = run("pretrained", *pairs, "--sweep", "clean")
    strict = run("pretrained", *pairs, "--sweep", "clean", "--strict")
    assert (loose.exit_code, strict.exit_code) == (0, 3)
    line = "pretrained streaming has limits, found by: clean"
    assert loose.stderr.splitlines()[-1] == line
    assert strict.stderr.splitlines()[-1] == f"error: {line}"
    assert loose.stdout == strict.stdout
    assert "wanted 25 and 15 dB" in loose.stdout


def test_recordings_without_noise_have_no_snrs_to_sweep(pairs):
    same = ["--noisy", pairs[3], "--clean", pairs[3]]
    found = run("pretrained", *same, "--sweep", "snr")
    assert found.exit_code == 2
    assert found.stderr.endswith("no recording has noise in it; give noisy recordings\n")


def test_folders_are_mixed_without_a_run(pairs, tmp_path):
    found = run(
        *("pretrained", "--run", tmp_path / "none", "--sweep", "band", "--format", "markdown"),
        *("--test-speech", pairs[3], "--test-noise", pairs[1]),
    )
    assert found.exit_code == 0, found.output
    assert "| telephone 0.3-3.4 kHz |" in found.stdout
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sweep", "levle"], "unknown sweep 'levle': did you mean 'level'? expected one of: all"),
        (["--sweep", ","], "--sweep is empty: expected level, snr"),
        (["--sweep", "level", "--metric", "sdr"], "leave out --metric"),
        (["--sweep", "level", "--max-drop", "sdr=1"], "leave out --max-drop"),
        (["--strict"], "--strict goes with --sweep NAME"),
        (["--sweep-inputs", "x"], "--sweep-inputs goes with --sweep NAME"),
        (["--format", "markdown"], "--format markdown goes with --sweep"),
    ],
)
def test_what_does_not_go_together_is_one_line(pairs, arguments, message):
    found = run("pretrained", *pairs, *arguments)
    assert found.exit_code == 2
    assert message in found.stderr
    assert found.stderr.count("\n") == 1


def test_finished_audio_alone_and_no_data_are_one_line(pairs, tmp_path):
    alone = run("--sweep", "level", *pairs, "--enhanced", tmp_path)
    assert alone.exit_code == 2
    assert "sets --enhanced beside models: name one" in alone.stderr
    nothing = run("pretrained", "--sweep", "level", "--run", tmp_path / "none")
    assert nothing.exit_code == 2
    assert "give what to score the files on: --noisy DIR --clean DIR" in nothing.stderr


@pytest.mark.slow
def test_a_run_of_pictures_has_no_sweeps(image_run):
    found = run("--run", image_run.folder, "--sweep", "level")
    assert found.exit_code == 2
    assert "--sweep changes recordings of speech: this is classification" in found.stderr


@pytest.mark.slow
def test_a_variant_is_swept_in_the_form_that_the_device_runs(finished_run):
    found = run(
        *("weight-0.80", "--run", finished_run.folder, "--sweep", "level", "--format", "csv")
    )
    assert found.exit_code == 0, found.output
    rows = list(csv.DictReader(found.stdout.splitlines()))
    assert {(row["model"], row["form"]) for row in rows} == {("weight-0.80", "streaming")}
