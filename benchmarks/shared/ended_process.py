"""A command in a forked process that a signal ends at a given file operation.

Forked from a process that has loaded the libraries and computed nothing, so that a command costs
no start.
"""

import os
import resource
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: Audit events of Python that change what is on the disk, with their paths first.
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
OUTPUT = "said.txt"
COUNT = "operations.txt"


@dataclass(frozen=True)
class Signal:
    """A signal, and before which file operation it comes, from 1."""

    number: signal.Signals
    operation: int


class Operations:
    """The number of file operations of a process so far: opening to write, fsync, rename, ..."""

    def __init__(self, folder: Path, ending: Signal | None) -> None:
        self.count = 0
        self._folder = str(folder)
        self._ending = ending
        self._sync = os.fsync

    def begin(self) -> None:
        """Count from now on. An audit hook cannot be taken off: the process is for one command."""
        os.fsync = self._fsync
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple) -> None:
        if event in CHANGES and self._is_inside(arguments[0]):
            self._next()
        if event == "open" and arguments[2] & _WRITES and self._is_inside(arguments[0]):
            self._next()

    def _fsync(self, descriptor: int) -> None:
        self._next()
        self._sync(descriptor)

    def _is_inside(self, path: object) -> bool:
        if not isinstance(path, str | os.PathLike):
            return False
        return str(Path(path).absolute()).startswith(self._folder)

    def _next(self) -> None:
        self.count += 1
        if self._ending is not None and self.count == self._ending.operation:
            os.kill(os.getpid(), self._ending.number)


def run(arguments: Sequence[str], folder: Path, ending: Signal | None = None) -> int:
    """Run a command line of tinyprune in a folder. Return its exit code, -9 for KILL.

    What it says is in said.txt, the number of its file operations in operations.txt.
    """
    for name in (OUTPUT, COUNT):
        (folder / name).unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        _run_here(arguments, folder, ending)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def operations_of(folder: Path) -> int:
    """Return the number of file operations of the last command that came to its end."""
    return int((folder / COUNT).read_text())


def _run_here(arguments: Sequence[str], folder: Path, ending: Signal | None) -> None:
    """Run a command in this process, which ends."""
    os.chdir(folder)
    os.environ["TMPDIR"] = str(folder / "tmp")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    said = os.open(OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)

    from tinyprune.cli import main

    operations = Operations(folder / "run", ending)
    operations.begin()
    try:
        main(list(arguments))
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    count = operations.count
    Path(COUNT).write_text(str(count))
    sys.stdout.flush()
    os._exit(code)
