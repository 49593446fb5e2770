"""Processes of Vela: each ends in time, and all of them where the program is told to end."""

import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tinyprune.errors import TinypruneError

_running: set[subprocess.Popen] = set()
#: How many callers want nothing to run. With the lock held a process begins and is known, or does
#: not begin: none slips through between the two.
_stops = 0
_lock = threading.Lock()


@contextmanager
def stopped() -> Iterator[None]:
    """End every Vela that runs for this process; within the block none begins."""
    global _stops
    with _lock:
        _stops += 1
        for process in _running:
            process.kill()
    try:
        yield
    finally:
        with _lock:
            _stops -= 1


@contextmanager
def vela_threads(workers: int) -> Iterator[ThreadPoolExecutor]:
    """A pool of threads that run Vela; at its end none runs any more.

    An error waits for those that have begun. An interruption ends them.
    """
    pool = ThreadPoolExecutor(workers)
    try:
        yield pool
    except KeyboardInterrupt:
        with stopped():
            pool.shutdown(cancel_futures=True)
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def exit_code(arguments: Sequence[str], log: Path, timeout_seconds: float) -> int:
    """Run a program in the folder of its log, and return its exit code.

    Raises TinypruneError if it does not start, or does not end in time.
    """
    is_late = threading.Event()
    try:
        with log.open("wb") as stream, _begun(arguments, stream, log.parent) as process:

            def stop() -> None:
                is_late.set()
                process.kill()

            # A timer, because a wait with a timeout polls and ends up to 50 ms late.
            timer = threading.Timer(timeout_seconds, stop)
            try:
                timer.start()
                code = process.wait()
            except BaseException:
                process.kill()
                raise
            finally:
                timer.cancel()
                with _lock:
                    _running.discard(process)
    except OSError as error:
        raise TinypruneError(
            f"Vela does not start ({arguments[0]}: {error.strerror}): pip install ethos-u-vela"
        ) from error
    if is_late.is_set():
        raise TinypruneError(f"Vela was stopped after {timeout_seconds:g} s")
    return code


def _begun(arguments: Sequence[str], stream: IO[bytes], folder: Path) -> subprocess.Popen:
    """Return a process that has begun. Raises TinypruneError where none may begin."""
    # UTF-8: file names in Vela's output. Unbuffered: the log of a crash is complete. cwd: nothing
    # there is imported.
    environment = os.environ | {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}
    with _lock:
        if _stops:
            raise TinypruneError("it was interrupted")
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
        )
        _running.add(process)
    return process
