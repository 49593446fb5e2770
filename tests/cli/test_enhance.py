"""``tinyprune enhance`` at the terminal: its options, and real pipes."""

import os
import re
import struct
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from tinyprune.cli import main
from tinyprune.enhance.jobs import NetworkChoice

DEFAULT = Path("runs/default")
HOP = 256


def call(function, *arguments, said=""):
    with mock.patch(
        f"tinyprune.enhance.jobs.{function}", autospec=True, return_value=None
    ) as patched:
        result = CliRunner().invoke(main, ["enhance", *arguments])
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith(said) if said else not result.stderr
    patched.assert_called_once()
    return patched.call_args


def test_nothing_given_but_in_and_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    variant = DEFAULT / "variants/baseline/variant.json"
    variant.parent.mkdir(parents=True)
    variant.touch()
    assert call("enhance", "a.wav", "b.wav") == mock.call(
        "a.wav", "b.wav", NetworkChoice(DEFAULT), None, None
    )


def test_nothing_given_and_no_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ("a.wav", "b.wav", NetworkChoice(DEFAULT, "pretrained"), None, None)
    assert call("enhance", "a.wav", "b.wav", said="model: pretrained, ") == mock.call(*arguments)


def test_everything_given():
    files = ("--model", "m.tflite", "--frontend", "f.json", "--plot", "p.png")
    limit = ("--max-attenuation", "15dB")
    call_args = call("enhance", "-", "-", "--run", "r", *files, *limit, "--raw", "8000")
    network = NetworkChoice(Path("r"), "m.tflite", Path("f.json"), 15.0)
    assert call_args == mock.call("-", "-", network, 8000, Path("p.png"))


@pytest.mark.parametrize("limit", ["0", "-3", "15%", "inf", "dB", "nan"])
def test_a_limit_that_is_none(limit):
    result = CliRunner().invoke(main, ["enhance", "a.wav", "b.wav", "--max-attenuation", limit])
    assert result.exit_code == 2
    expected = "expected decibels above 0, e.g. 15dB or 15"
    assert result.stderr == f"error: --max-attenuation {limit}: {expected}\n"


def test_live():
    call_args = call(
        "live", "--live", "--run", "r", "--model", "v", "--device", "mic", "--device", "2"
    )
    assert call_args == mock.call(("mic", "2"), NetworkChoice(Path("r"), "v"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected IN and OUT, or --live without them, --raw and --plot"),
        (["a.wav"], "expected IN and OUT, or --live without them, --raw and --plot"),
        (
            ["a.wav", "b.wav", "--live"],
            "expected IN and OUT, or --live without them, --raw and --plot",
        ),
        (
            ["--live", "--plot", "a.png"],
            "expected IN and OUT, or --live without them, --raw and --plot",
        ),
        (["a.wav", "b.wav", "--device", "1"], "--device goes with --live"),
    ],
)
def test_what_does_not_go_together(arguments, message):
    result = CliRunner().invoke(main, ["enhance", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"error: {message} (see tinyprune enhance --help)\n"


@pytest.mark.parametrize("rate", ["0", "-1", "16k"])
def test_a_rate_that_is_none(rate):
    result = CliRunner().invoke(main, ["enhance", "-", "-", "--raw", rate])
    assert result.exit_code == 2
    assert (
        result.stderr
        == f"error: --raw {rate}: expected a whole number of at least 1000, at most 768000\n"
    )


# --- as a program
# -----------------------------------------------------------------------------------------------------


def command(run, *arguments):
    return [sys.executable, "-m", "tinyprune", "enhance", *map(str, arguments), "--run", str(run)]


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("recording") / "a.wav"
    soundfile.write(path, np.random.default_rng(0).normal(size=16_000) / 10, 16_000)
    return path


@pytest.fixture(scope="module")
def enhanced(recording, speech_run):
    """The file that a file makes."""
    path = recording.with_name("b.wav")
    done = subprocess.run(
        command(speech_run, recording, path), capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    newest, summary = done.stderr.splitlines()
    assert newest == f"model: small, the newest variant in {speech_run}"
    assert re.fullmatch(
        rf"{path}: 1\.0 s of audio in [\d.]+ m?s, [\d.]+ x real time, inference [\d.]+ ms per frame of 16 ms, "
        "algorithmic latency 32 ms",
        summary,
    )
    return path


def test_a_pipe_gives_the_bytes_of_the_file(recording, enhanced, speech_run):
    done = subprocess.run(
        command(speech_run, "-", "-", "-q"),
        input=recording.read_bytes(),
        capture_output=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == enhanced.read_bytes()


def test_raw_samples_of_a_pipe(recording, enhanced, speech_run):
    done = subprocess.run(
        command(speech_run, "-", "-", "--raw", 16_000),
        input=recording.read_bytes()[44:],
        capture_output=True,
        timeout=120,
    )
    assert done.stdout == enhanced.read_bytes()[44:]


def test_a_hop_comes_out_as_soon_as_the_next_is_in(speech_run):
    """Nothing waits for the end of the input, or for a buffer to fill."""
    with subprocess.Popen(
        command(speech_run, "-", "-", "--raw", 16_000),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        rng = np.random.default_rng(0)
        process.stdin.write(rng.integers(-3000, 3000, HOP).astype("<i2").tobytes())
        for _ in range(3):
            process.stdin.write(rng.integers(-3000, 3000, HOP).astype("<i2").tobytes())
            process.stdin.flush()
            assert len(process.stdout.read(HOP * 2)) == HOP * 2
        process.stdin.close()
        assert len(process.stdout.read()) == HOP * 2
        assert process.wait(timeout=60) == 0


def test_a_header_of_unknown_length_comes_out_as_one(recording, enhanced, speech_run):
    content = recording.read_bytes()
    unknown = content[:40] + struct.pack("<I", 0xFFFFFFFF) + content[44:]
    done = subprocess.run(
        command(speech_run, "-", "-"), input=unknown, capture_output=True, timeout=120
    )
    assert done.stdout[40:44] == b"\xff" * 4
    assert done.stdout[44:] == enhanced.read_bytes()[44:]


def test_a_closed_pipe_ends_quietly(recording, speech_run):
    reader, writer = os.pipe()
    with subprocess.Popen(
        command(speech_run, recording, "-", "-q"), stdout=writer, stderr=subprocess.PIPE, text=True
    ) as process:
        os.close(writer)
        assert len(os.read(reader, 100)) == 44  # the header, then it has seen enough
        os.close(reader)
        assert process.stderr.read() == ""
        assert process.wait(timeout=120) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"",
            r"standard input is empty: expected a WAV of 8 to 32 bit PCM, float, mu-law or A-law samples, or --raw RATE",
        ),
        (
            b"no audio\n" * 10,
            r"standard input is no WAV: expected a WAV of 8 to 32 bit PCM, float, mu-law or A-law samples",
        ),
    ],
)
def test_bad_input_of_a_pipe_is_one_line(speech_run, tmp_path, content, message):
    done = subprocess.run(
        command(speech_run, "-", tmp_path / "b.wav", "-q"),
        input=content,
        capture_output=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (1, b"")
    assert re.fullmatch(f"error: {message}.*\n", done.stderr.decode())
    assert not list(tmp_path.iterdir())


def invoke(*arguments):
    result = CliRunner().invoke(main, ["enhance", *map(str, arguments)])
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.exit_code, result.stderr.splitlines()[-1].removeprefix("error: ")


def test_no_run_at_all(recording, tmp_path):
    code, line = invoke(recording, tmp_path / "b.wav", "--run", tmp_path / "none")
    assert code == 2
    none = tmp_path / "none"
    assert (
        line
        == f"no finished run in {none}: `tinyprune train`, then `tinyprune prune` make one; or give --model pretrained"
    )
    assert not none.exists()


def test_networks_of_another_kind(recording, tmp_path, networks):
    for name, code, message in (
        (
            "dense_float",
            2,
            r".* is not an int8 network: input '.*' is float32, .*; export it as int8 .*",
        ),
        (
            "dense",
            2,
            r".* is no streaming speech network \(1x16 -> 1x8\): expected one frame of features in, its mask .*",
        ),
    ):
        found = invoke(recording, tmp_path / "b.wav", "--model", getattr(networks, name)())
        assert found[0] == code
        assert re.fullmatch(message, found[1])


def test_a_network_without_its_front_end(recording, tmp_path, speech_run):
    model = tmp_path / "lone/streaming.tflite"
    model.parent.mkdir()
    model.write_bytes((speech_run / "variants/small/streaming.tflite").read_bytes())
    code, line = invoke(recording, tmp_path / "b.wav", "--model", model)
    assert code == 2
    assert line.startswith(
        f"no front end beside {model}: give the STEM.frontend.json of its export"
    )
    given = speech_run / "variants/small/streaming.frontend.json"
    assert invoke(recording, tmp_path / "b.wav", "--model", model, "--frontend", given)[0] == 0
    assert (tmp_path / "b.wav").exists()


def test_half_of_a_folder(tmp_path, speech_run, recording):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/bad.wav").write_bytes(b"")
    (tmp_path / "in/good.wav").write_bytes(recording.read_bytes())
    code, line = invoke(tmp_path / "in", tmp_path / "out", "--run", speech_run)
    assert code == 1
    assert line.startswith(
        f"1 of 2 files were not enhanced, the last: {tmp_path / 'in/bad.wav'} is damaged"
    )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.wav"]
