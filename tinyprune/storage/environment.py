"""The environment of a computation, as far as its digits depend on it: versions and threads."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from tinyprune.version import __version__

_PROGRAMS = ("keras", "tensorflow", "ethos-u-vela", "ai-edge-litert", "numpy")
#: Variables that TensorFlow and the libraries of NumPy take their number of threads from.
_THREADS = "TF_NUM_INTRAOP_THREADS"
_ALL_THREADS = (_THREADS, "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@cache
def versions() -> dict[str, str]:
    """Return program -> installed version, of those whose versions change results."""
    import importlib.metadata  # takes a while, and only those who write or report need it

    found = {"tinyprune": __version__, "python": platform.python_version()}
    for program in _PROGRAMS:
        try:
            found[program] = importlib.metadata.version(program)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def threads() -> int:
    """Return the number of threads that TensorFlow computes an operator on."""
    return chosen_threads() or len(os.sched_getaffinity(0))


def chosen_threads() -> int | None:
    """Return the number of threads that somebody has chosen; None: one per core."""
    return int(os.environ.get(_THREADS, 0)) or None


def compute_on(threads: int) -> None:
    """Let everything that is loaded after this compute on so many threads."""
    for variable in _ALL_THREADS:
        os.environ[variable] = str(threads)


@contextmanager
def computing_on(threads: int) -> Iterator[None]:
    """Let processes that are started inside compute on so many threads each."""
    before = {variable: os.environ.get(variable) for variable in _ALL_THREADS}
    compute_on(threads)
    try:
        yield
    finally:
        for variable, value in before.items():
            if value is None:
                del os.environ[variable]
            else:
                os.environ[variable] = value


def environment() -> dict[str, Any]:
    """Return what is recorded of the environment of a stage."""
    return {"threads": threads(), "versions": versions()}
