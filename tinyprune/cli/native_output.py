"""The output of native libraries: kept off the terminal, unless one asks for it with ``-v``."""

import faulthandler
import io
import logging
import os
import sys
import warnings
from contextlib import suppress

_STDERR = 2
#: Standard stream -> its descriptor, its mode, and how what stands for it is opened.
_STANDARD = {
    "stdin": (0, "r", os.O_RDONLY),
    "stdout": (1, "w", os.O_RDONLY),
    "stderr": (_STDERR, "w", os.O_WRONLY),
}


def occupy() -> None:
    """Give standard streams that are closed something to stand for them.

    Else the next file that is opened has the number of one, and gets what is written there. What is
    written to standard output fails then, as it should.
    """
    for name, (descriptor, mode, flags) in _STANDARD.items():
        if getattr(sys, name) is not None:
            continue
        opened = os.open(os.devnull, flags)
        os.dup2(opened, descriptor)
        setattr(sys, name, os.fdopen(descriptor, mode, closefd=False))


def keep_names() -> None:
    """Let file names that are not UTF-8 reach standard output as the bytes that they are."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")


def drop_stdout() -> None:
    """Let what could not be written to standard output vanish, instead of failing again."""
    with suppress(OSError):
        sys.stdout.flush()
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


def mute() -> None:
    """Let only the Python code of this process write to stderr, without warnings.

    TensorFlow's C++ code writes to the file descriptor, past its own TF_CPP_MIN_LOG_LEVEL. A crash
    in such code still shows where it happened. Nothing changes where stderr is not the process's
    own, as in tests.
    """
    own = sys.__stderr__
    if own is None or sys.stderr is not own or own.fileno() != _STDERR:
        return
    own.flush()
    sys.stderr = os.fdopen(os.dup(_STDERR), "w", buffering=1, errors="backslashreplace")

    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, _STDERR)
    os.close(nowhere)

    faulthandler.enable(sys.stderr)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
