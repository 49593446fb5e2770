"""Python programs in processes of their own that start at once: forked from one that has loaded the libraries.

A program that is started anew loads TensorFlow for three seconds, in each of a hundred tests.
"""

import multiprocessing
import os
import runpy
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

LONGEST = 900  # seconds
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.support.libraries"])


@dataclass(frozen=True)
class Done:
    """A program that has ended. Its exit code is negative where a signal ended it."""

    returncode: int
    stdout: str
    stderr: str


def usual_signals() -> None:
    """Let signals end this process, whatever a shell has made of them that started it with ``&``."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def run(arguments: Sequence[str], cwd: Path, environment: Mapping[str, str] | None = None) -> Done:
    """Run a program to its end.

    Args:
        arguments: as those of ``python``: a file or ``-m`` and a module, then the program's own.
        cwd: the working folder.
        environment: variables besides those of this process.
    """
    with tempfile.TemporaryDirectory() as folder:
        stdout, stderr = Path(folder, "stdout"), Path(folder, "stderr")
        process = start(arguments, cwd, stdout, stderr, environment)
        process.join(LONGEST)
        if process.is_alive():
            process.kill()
        process.join()
        return Done(process.exitcode, stdout.read_text(), stderr.read_text())


def start(
    arguments: Sequence[str],
    cwd: Path,
    stdout: Path,
    stderr: Path,
    environment: Mapping[str, str] | None = None,
) -> BaseProcess:
    """Start a program that writes into two files, or pipes that have a name. Return the process."""
    given = (list(arguments), str(cwd), str(stdout), str(stderr))
    process = _CONTEXT.Process(
        target=_program, args=(*given, {**os.environ, **(environment or {})})
    )
    process.start()
    return process


def _program(
    arguments: list[str], cwd: str, stdout: str, stderr: str, environment: dict[str, str]
) -> None:
    """Be the program, as if ``python`` had started it."""
    for path, descriptor in ((stdout, 1), (stderr, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644), descriptor)
    sys.stdout = os.fdopen(1, "w")
    sys.stderr = os.fdopen(2, "w", buffering=1)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    usual_signals()
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        sys.path.insert(0, cwd)
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path.insert(0, str(Path(arguments[0]).resolve().parent))
        runpy.run_path(arguments[0], run_name="__main__")
