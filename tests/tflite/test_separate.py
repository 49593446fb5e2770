"""Files from elsewhere run in a process of their own: what crashes there is one line here."""

import os
import signal

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from tests.support.crashing import crashing
from tinyprune import pretrained
from tinyprune.cli import main
from tinyprune.errors import TinypruneError
from tinyprune.tflite.interpreter import Int8Model

FRAMES = np.random.default_rng(0).normal(size=(5, 257)).astype(np.float32)
LINE = "crash.tflite cannot be run by the int8 interpreter: it crashed by SIGABRT"


@pytest.fixture(scope="module")
def bands():
    return Int8Model(pretrained.denoiser()).input_shape[-1]


@pytest.fixture
def crash(bands, tmp_path):
    return crashing(tmp_path / "crash.tflite", bands)


@pytest.fixture
def recordings(tmp_path):
    for kind in ("noisy", "clean"):
        (tmp_path / kind).mkdir()
        samples = 0.1 * np.random.default_rng(0).normal(size=8_000)
        soundfile.write(tmp_path / kind / "a.wav", samples, 16_000)
    return tmp_path


def test_it_computes_what_this_process_would(bands):
    frames = FRAMES[:, :bands]
    here = Int8Model(pretrained.denoiser())
    there = Int8Model(pretrained.denoiser(), is_foreign=True)
    np.testing.assert_array_equal(there.run(frames), here.run(frames))
    np.testing.assert_array_equal(there.run(frames), here.run(frames))  # from a reset state


def test_a_crash_is_an_error(crash, bands):
    model = Int8Model(crash, is_foreign=True)
    with pytest.raises(TinypruneError, match=LINE):
        model.run(FRAMES[:, :bands])


def test_what_takes_too_long_is_ended(crash, bands):
    model = Int8Model(crash, is_foreign=True)
    os.kill(model._model._process.pid, signal.SIGALRM)  # what the kernel does after 120 s
    with pytest.raises(TinypruneError, match="it took longer than 120 s"):
        model.run(FRAMES[:, :bands])


def test_the_process_ends_with_the_network(crash):
    model = Int8Model(crash, is_foreign=True)
    process = model._model._process
    assert process.poll() is None
    del model
    assert process.poll() in (0, -signal.SIGKILL)  # by itself, its pipe being closed, or killed


def test_nothing_in_the_working_folder_is_imported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("numpy", "tinyprune"):
        (tmp_path / f"{name}.py").write_text("open('imported', 'w')")
    Int8Model(pretrained.denoiser(), is_foreign=True)
    assert not (tmp_path / "imported").exists()


def test_enhance(crash, recordings):
    source, target = recordings / "noisy/a.wav", recordings / "out.wav"
    result = CliRunner().invoke(main, ["enhance", str(source), str(target), "--model", str(crash)])
    assert result.exit_code == 1
    assert LINE in result.stderr.splitlines()[-1]
    assert not target.exists()


def test_evaluate(crash, recordings):
    folders = ["--noisy", str(recordings / "noisy"), "--clean", str(recordings / "clean")]
    result = CliRunner().invoke(main, ["evaluate", str(crash), *folders])
    assert result.exit_code == 1
    assert LINE in result.stderr.splitlines()[-1]


@pytest.mark.parametrize("command", ["compile", "prune --offline"])
def test_other_commands_say_so_and_go_on(command, crash, tmp_path, monkeypatch):
    """They need no run of it: pruning says what was not checked; compiling asks Vela alone."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, [*command.split(), str(crash)])
    assert result.exit_code in (0, 1, 2), result.stderr
    assert "unexpected" not in result.stderr
