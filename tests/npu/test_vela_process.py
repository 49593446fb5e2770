"""Processes of Vela end where the program is told to, whenever they have begun."""

import sys
import threading
import time

import pytest

from tinyprune.errors import TinypruneError
from tinyprune.npu import vela_process

LONG = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def test_an_interruption_ends_what_runs_and_what_would_come_after(tmp_path):
    def two_forms():
        return [vela_process.exit_code(LONG, tmp_path / "log", 60) for _ in range(2)]

    with pytest.raises(KeyboardInterrupt), vela_process.vela_threads(1) as pool:
        first = pool.submit(two_forms)
        second = pool.submit(two_forms)
        assert until(lambda: vela_process._running)
        raise KeyboardInterrupt
    with pytest.raises(TinypruneError, match="interrupted"):
        first.result(0)  # the second form does not begin
    assert second.cancelled()
    assert not vela_process._running


def test_a_process_that_is_just_beginning_is_ended_too(tmp_path, monkeypatch):
    is_beginning = threading.Event()
    begin = vela_process.subprocess.Popen

    def slowly(*arguments, **options):
        process = begin(*arguments, **options)
        is_beginning.set()
        time.sleep(0.3)  # it runs, and nobody knows it yet
        return process

    monkeypatch.setattr(vela_process.subprocess, "Popen", slowly)
    with pytest.raises(KeyboardInterrupt), vela_process.vela_threads(1) as pool:
        code = pool.submit(vela_process.exit_code, LONG, tmp_path / "log", 60)
        assert is_beginning.wait(10)
        raise KeyboardInterrupt
    assert code.result(0) == -9


def test_after_an_interruption_the_next_one_begins(tmp_path):
    with vela_process.stopped():
        pass
    quick = [sys.executable, "-S", "-c", "raise SystemExit(3)"]
    assert vela_process.exit_code(quick, tmp_path / "log", 60) == 3
