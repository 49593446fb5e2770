"""Corpora at the terminal: recognised, described, trained on; what is wrong with them is one line."""

import csv
import json
import re
import sys

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from tinyprune.cli import main

RATE = 16_000
WRONG_USAGE, FAILED = 2, 1
FEW = (
    "--epochs",
    1,
    "--batch-size",
    2,
    "--set",
    "train.frames=10",
    "--set",
    "data.dev_utterances=2",
)


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def error_of(result, exit_code=WRONG_USAGE):
    """The one line on stderr."""
    assert result.exit_code == exit_code, result.stderr
    assert result.stdout == ""
    assert re.fullmatch(r"error: .+\n", result.stderr), result.stderr
    return result.stderr.removeprefix("error: ").rstrip("\n")


def write(path, seed=0, samples=8000, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).uniform(-0.3, 0.3, samples), RATE, **how)
    return path


@pytest.fixture
def pairs(tmp_path):
    """Four speakers of one pair each."""
    for number in range(4):
        write(tmp_path / f"clean/p{number}_1.wav", number)
        write(tmp_path / f"noisy/p{number}_1.wav", number + 100)
    return tmp_path


def train(pairs, *more, noisy="noisy", clean="clean"):
    return invoke(
        "train",
        "--run",
        pairs / "run",
        "--noisy",
        pairs / noisy,
        "--clean",
        pairs / clean,
        *FEW,
        *more,
    )


# --- training on pairs
# ------------------------------------------------------------------------------------------------


def test_bad_pairs_are_left_out_and_the_rest_is_trained_on(pairs, tiny_sizes):
    write(pairs / "noisy/long.wav", samples=9000)
    write(pairs / "clean/long.wav")
    (pairs / "noisy/empty.wav").write_bytes(b"")
    write(pairs / "clean/empty.wav")
    write(pairs / "noisy/alone.wav")
    result = train(pairs, "--test-noisy", pairs / "noisy", "--test-clean", pairs / "clean")
    assert result.exit_code == 0, result.stderr
    lines = result.stderr.splitlines()
    left_out = [line for line in lines if "were left out" in line]
    assert left_out[0].startswith(
        f"2 of 6 pairs in {pairs}/noisy and {pairs}/clean were left out: "
    )
    assert "pair long differs in length: noisy 0.562 s, clean 0.500 s" in left_out[0]
    assert (
        f"1 of the files in {pairs}/noisy and {pairs}/clean have no partner: {pairs}/noisy/alone.wav"
        in lines
    )


@pytest.mark.slow
def test_all_test_pairs_are_scored(pairs, tiny_sizes):
    assert (
        train(pairs, "--test-noisy", pairs / "noisy", "--test-clean", pairs / "clean").exit_code
        == 0
    )
    result = invoke("evaluate", "--run", pairs / "run", "--split", "test", "--format", "json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["items"] == 4


@pytest.mark.slow
def test_a_corpus_at_a_path_is_trained_on(pairs, tiny_sizes):
    rows = [
        {"noisy": f"noisy/p{n}_1.wav", "clean": f"clean/p{n}_1.wav", "speaker": f"p{n}"}
        for n in range(4)
    ]
    with (pairs / "list.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["noisy", "clean", "speaker"])
        writer.writeheader()
        writer.writerows(rows)
    result = invoke("train", "--run", pairs / "run", "--path", pairs / "list.csv", *FEW)
    assert result.exit_code == 0, result.stderr
    assert "dev SI-SDR" in result.stderr


def test_names_that_do_not_match(pairs):
    (pairs / "other").mkdir()
    write(pairs / "other/x.wav")
    line = error_of(train(pairs, clean="other"))
    assert line.startswith(
        f"no file in {pairs}/noisy has the name of one in {pairs}/other: of 4 and 1 files, e.g. "
    )


def test_nothing_but_bad_pairs(pairs):
    for path in (pairs / "clean").iterdir():
        write(path, samples=4000)
    line = error_of(train(pairs))
    assert line.startswith(
        f"none of the 4 pairs in {pairs}/noisy and {pairs}/clean can be used, e.g. pair p0_1 differs"
    )


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (
            ["--dev-noisy", "{root}/noisy"],
            "--dev-noisy and --dev-clean go together: give both or none",
        ),
        (
            ["--speech", "{root}/clean"],
            'data.noisy: is not used by data.name = "mixture"; choose "paired"',
        ),
        (["--babble", "0.5"], 'data.babble: is not used by data.name = "paired"; choose '),
        (
            ["--speed", "2:1"],
            "--speed 2:1: expected a range LO:HI of factors with LO <= HI, e.g. 0.9:1.1",
        ),
        (["--speed", "0.1:1"], "data.speed: expected low:high with 0.5 <= low <= high <= 2"),
        (["--level", "-10:3"], "data.level_db: expected low:high with low <= high <= 0"),
        (
            ["--path", "{root}"],
            "data.noisy: the corpus in data.path has its own: give one of the two",
        ),
    ],
)
def test_flags_that_make_no_sense(pairs, more, complaint):
    assert error_of(train(pairs, *(part.format(root=pairs) for part in more))).startswith(complaint)


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--max-attenuation", "0"], "--max-attenuation 0: expected decibels above 0, e.g. 15dB"),
        (["--max-attenuation", "-3"], "--max-attenuation -3: expected decibels above 0"),
        (["--max-attenuation", "15V"], "--max-attenuation 15V: expected decibels above 0"),
        (["--max-attenuation", "500"], "data.max_attenuation_db: expected decibels above 0 and"),
        (["--tilt", "4:-2"], "--tilt 4:-2: expected a range LO:HI in dB with LO <= HI"),
        (["--tilt", "0:40"], "data.tilt_db: expected low:high with -12 <= low <= high <= 12"),
        (["--snr", ":"], "--snr :: expected a range LO:HI in dB"),
        (["--colour", "30"], "--colour 30: expected decibels from 0 to 24, e.g. 6"),
        (["--talkers", "2"], "--talkers 2: expected a fraction in [0, 1], e.g. 0.2"),
        (["--narrow", "-1"], "--narrow -1: expected a fraction in [0, 1], e.g. 0.2"),
        (["--rooms", "-1"], "--rooms -1: expected a whole number of at least 0, at most 10000"),
        (
            ["--rooms", "5", "--rirs", "{root}"],
            "data.rooms: they are simulated, --rirs are recorded: give one of the two",
        ),
    ],
)
def test_variations_that_make_no_sense(pairs, flags, complaint):
    folders = ("--speech", pairs / "clean", "--noise", pairs / "noisy")
    given = [part.format(root=pairs) for part in flags]
    line = error_of(invoke("train", "--run", pairs / "run", *folders, *given, *FEW))
    assert line.startswith(complaint)


def test_simulated_rooms_without_the_package(pairs, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyroomacoustics", None)
    folders = ("--speech", pairs / "clean", "--noise", pairs / "noisy")
    line = error_of(invoke("train", "--run", pairs / "run", *folders, "--rooms", "2", *FEW))
    assert line.startswith("a simulated room needs pyroomacoustics, which is not installed: pip")


def test_a_manifest_with_a_slip(tmp_path):
    write(tmp_path / "a.wav")
    (tmp_path / "list.csv").write_text("noisy,clean\na.wav,b.wav\n")
    line = error_of(
        invoke("train", "--run", tmp_path / "run", "--path", tmp_path / "list.csv", *FEW)
    )
    assert line == f"{tmp_path}/list.csv, line 2: clean b.wav does not exist in {tmp_path}"


def test_a_plain_folder_at_a_path_says_what_to_choose(pairs):
    line = error_of(invoke("train", "--run", pairs / "run", "--path", pairs / "clean", *FEW))
    assert "audio of unknown kind: for a denoiser give --speech DIR and --noise DIR" in line


# --- tinyprune data
# ---------------------------------------------------------------------------------------------------


def test_a_table_of_a_corpus(pairs):
    write(pairs / "noisy/alone.wav")
    result = invoke("data", "describe", pairs)
    assert (result.exit_code, result.stderr) == (0, "")
    title, _, header, noisy, clean, *rest = result.stdout.splitlines()
    assert title == f"{pairs}: noisy and clean"
    assert noisy.split()[:9] == ["train", "noisy", "4", "0.00", "4", "16", "1", "16", "0.5-0.5"]
    assert len(header) <= 100
    assert clean.startswith("train  clean  4")
    assert "train: 4 pairs can be used; SNR in dB (pairs): -5 (4)" in rest
    assert "train, files without a partner: 1: noisy/alone.wav" in rest


def test_two_folders_of_any_names(pairs):
    result = invoke(
        "data",
        "describe",
        "--noisy",
        pairs / "noisy",
        "--clean",
        pairs / "clean",
        "--format",
        "json",
    )
    [found] = json.loads(result.stdout)
    assert (found["layout"], found["pairs"][0]["pairs"]) == ("noisy and clean", 4)


def test_numbers_as_csv(pairs):
    result = invoke("data", "describe", pairs, pairs / "clean", "--format", "csv")
    rows = [*csv.DictReader(result.stdout.splitlines())]
    assert [(row["kind"], row["files"], row["sample_rates"], row["pairs"]) for row in rows] == [
        ("noisy", "4", "16000:4", "4"),
        ("clean", "4", "16000:4", "4"),
        ("audio", "4", "16000:4", ""),
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "nothing to describe: give PATH, or --noisy DIR and --clean DIR"),
        (["--noisy", "{root}/noisy"], "--noisy and --clean go together: give both or none"),
        (
            ["{root}/gone"],
            "{root}/gone does not exist: expected one of: CSV manifest (columns noisy,clean); ",
        ),
        (["{root}/list.txt"], "{root}/list.txt is no known corpus: expected one of: "),
    ],
)
def test_nothing_to_describe(pairs, arguments, complaint):
    (pairs / "list.txt").touch()
    line = error_of(
        invoke("data", "describe", *(argument.format(root=pairs) for argument in arguments))
    )
    assert line.startswith(complaint.format(root=pairs))


def test_the_group_shows_its_commands_and_knows_the_closest_name():
    result = invoke("data")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "describe  Show what corpora hold" in result.stdout
    line = error_of(invoke("data", "descibe"))
    assert (
        line == "unknown command 'descibe': did you mean 'describe'? expected one of: describe, mix"
    )


def test_quiet_and_verbose_go_after_the_command(pairs):
    for flag in ("-q", "-v"):
        assert invoke("data", "describe", flag, pairs).exit_code == 0
