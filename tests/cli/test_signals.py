"""Signals to a real process: it ends like by Ctrl-C, with a line, and takes its children with it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from tests.support.programs import usual_signals
from tinyprune.cli.messages import describe
from tinyprune.cli.signals import ending_like_ctrl_c
from tinyprune.errors import Stopped

LINE = "interrupted; run the same command again to continue"
#: Stands for a Vela that has a lot to do.
SLOW_VELA = """
import os, pathlib, time
pathlib.Path(os.environ["PID_FILE"]).write_text(str(os.getpid()))
time.sleep(600)
"""


def until(condition, seconds=60):
    """Wait for a condition; its value, or the last false one."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return value


def ends_by(process: subprocess.Popen, number: signal.Signals) -> tuple[int, str]:
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    return process.returncode, stderr.splitlines()[-1]


@pytest.fixture
def compiling(networks, tmp_path):
    """A compilation that is under way, and the number of the process of its Vela."""
    (tmp_path / "ethosu").mkdir()
    (tmp_path / "ethosu/__init__.py").touch()
    (tmp_path / "ethosu/vela.py").write_text(SLOW_VELA)
    pid_file = tmp_path / "pid"
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    environment = os.environ | {"PYTHONPATH": paths, "PID_FILE": str(pid_file)}
    command = [sys.executable, "-m", "tinyprune", "compile", str(networks.dense())]
    with subprocess.Popen(
        [*command, "-o", str(tmp_path / "out")],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=usual_signals,
    ) as process:
        assert until(lambda: pid_file.exists() and pid_file.read_text())
        yield process, int(pid_file.read_text())
        process.kill()


def is_running(number: int) -> bool:
    state = Path(f"/proc/{number}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_compilation_ends_by_a_signal_with_its_vela(compiling, tmp_path, number, code):
    process, vela = compiling
    assert ends_by(process, number) == (code, LINE)
    assert until(lambda: not is_running(vela))
    assert not list((tmp_path / "out").glob(".vela-*"))


def test_no_vela_outlives_a_parent_that_is_killed_and_the_next_command_cleans_up(
    compiling, networks, tmp_path
):
    from tinyprune.npu import targets, vela

    process, number = compiling
    process.kill()
    process.wait()
    assert until(lambda: not is_running(number))
    assert list((tmp_path / "out").glob(".vela-*"))
    (tmp_path / f"out/.vela-{os.getppid()}-of-another").mkdir()
    vela.compile_tflite(networks.dense(), targets.resolve("ethos-u55-32"), tmp_path / "out")
    scratch = [path.name for path in (tmp_path / "out").glob(".vela-*")]
    assert scratch == [f".vela-{os.getppid()}-of-another"]


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_whose_error_is_swallowed_ends_the_program_all_the_same(name, code):
    program = f"""
import signal, time
from tinyprune.cli import messages, signals
signals.LONGEST_SECONDS = 0.2

class Finalised:
    def __del__(self):
        signal.raise_signal(signal.{name})

with signals.ending_like_ctrl_c(messages.report):
    Finalised()
    print("goes on", flush=True)
    time.sleep(60)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=usual_signals,
    )
    assert done.stdout == "goes on\n"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (code, LINE)


@pytest.mark.parametrize("swallowed_by", [KeyboardInterrupt, click.Abort])
def test_the_exit_code_is_that_of_the_signal_whatever_a_library_has_made_of_its_error(swallowed_by):
    with pytest.raises(Stopped) as found, ending_like_ctrl_c(print):
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise swallowed_by from None
    assert describe(found.value) == (LINE, 128 + signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_an_ignored_hangup_stays_ignored():
    program = """
import signal
from tinyprune.cli.signals import ending_like_ctrl_c
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with ending_like_ctrl_c(print):
    signal.raise_signal(signal.SIGHUP)
    print("goes on")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "goes on\n"
