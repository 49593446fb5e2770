"""The output of native libraries: kept off the terminal, unless one asks for it with ``-v``."""

import faulthandler
import logging
import os
import sys
import warnings

_STDERR = 2


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
