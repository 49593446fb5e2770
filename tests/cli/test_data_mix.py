import json
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from tinyprune.cli import main
from tinyprune.data.speech.test_set import MixRequest, MixSource


def invoke(*arguments):
    return CliRunner().invoke(main, ["data", "mix", *map(str, arguments)])


def call(*arguments):
    """What ``write_set`` is called with; nothing is written."""
    with (
        mock.patch("tinyprune.data.speech.test_set.write_set", autospec=True) as patched,
        mock.patch("tinyprune.cli.data_mix._print", autospec=True),
    ):
        result = invoke(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return patched.call_args


@pytest.fixture
def folder(tmp_path):
    for kind in ("speech", "noise"):
        (tmp_path / kind).mkdir()
        for number in range(2):
            samples = np.random.default_rng(number).uniform(-0.1, 0.1, 4000)
            soundfile.write(tmp_path / kind / f"{number}.wav", samples, 16_000)
    return tmp_path


def test_with_little_given(folder):
    found = call("out", "--speech", folder / "speech", "--noise", folder / "noise")
    source = MixSource(speech=(folder / "speech",), noise=(folder / "noise",))
    assert found == mock.call(Path("out"), source, MixRequest((-6.0, -3.0, 0.0, 3.0, 6.0, 9.0)))


def test_with_everything_given(folder):
    found = call(
        *(
            "out",
            "--speech",
            folder / "speech",
            "--noise",
            folder / "noise",
            "--rirs",
            folder / "noise",
        ),
        *("--snr", "-5,0,5.5", "--count", 7, "--seconds", 2.5, "--babble", 0.25, "--seed", 3),
    )
    source = MixSource((folder / "speech",), (folder / "noise",), (folder / "noise",))
    assert found == mock.call(Path("out"), source, MixRequest((-5.0, 0.0, 5.5), 7, 2.5, 0.25, 3))


def test_with_a_corpus(folder):
    found = call("out", "--path", folder, "--split", "dev", "--snr", "5:5")
    assert found == mock.call(Path("out"), MixSource(path=folder, split="dev"), MixRequest((5.0,)))


@pytest.mark.parametrize("output_format", ["table", "json", "csv"])
def test_it_says_what_it_made(folder, output_format):
    given = (
        "--speech",
        folder / "speech",
        "--noise",
        folder / "noise",
        "--snr",
        "-5,0",
        "--format",
        output_format,
    )
    result = invoke(folder / "out", *given)
    assert (result.exit_code, result.stderr) == (0, "")
    if output_format == "json":
        record = json.loads(result.stdout)
        assert (record["mixtures"], record["snrs_db"], record["minutes"]) == (
            2,
            [-5.0, 0.0],
            round(2 * 0.25 / 60, 2),
        )
    else:
        assert "-5 0" in result.stdout
        assert result.stdout.splitlines()[0].startswith(
            {"table": "what", "csv": "folder,mixtures,"}[output_format]
        )
    assert len(list((folder / "out/noisy").iterdir())) == 2


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (
            ["--snr", "5:1"],
            "--snr 5:1: expected a range such as -6:9 or levels such as -5,0,5, each once",
        ),
        (["--snr", "1,x"], "--snr 1,x: expected a range"),
        (["--snr", "nan"], "--snr nan: expected a range"),
        (["--snr", "0,0"], "--snr 0,0: expected a range"),
        (["--snr", "-900:900"], "--snr -900:900: expected a range"),
        (["--babble", "1.5"], "--babble 1.5: expected a fraction in [0, 1]"),
        (["--seconds", "0.01"], "--seconds 0.01: expected a number of seconds from 0.1 to 3600"),
        (["--seconds", "nan"], "--seconds nan: expected a number of seconds"),
        (["--count", "0"], "--count 0: expected a whole number of at least 1"),
        (["--speech", "gone"], "Invalid value for '--speech': Directory 'gone' does not exist."),
        (["--path", "."], "--path has its own speech and noise"),
    ],
)
def test_bad_values(folder, given, line):
    result = invoke(
        folder / "out", "--speech", folder / "speech", "--noise", folder / "noise", *given
    )
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {line}")
    assert result.stderr.count("\n") == 1
    assert not (folder / "out").exists()
