"""The int8 interpreter in a process of its own, for files that come from elsewhere.

A valid file can still crash the interpreter's C++ core, when it is loaded or at the first odd
value. Here that ends the other process, and is an error like any other.
"""

import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tinyprune.errors import TinypruneError

LONGEST = 120  # seconds of one call
#: What fails there is raised here.
_ERRORS = (RuntimeError, ValueError, TinypruneError)
_PACKAGE = str(Path(__file__).parents[2])
_PROGRAM = f"""
import sys
sys.path.append({_PACKAGE!r})
from tinyprune.tflite.separate import serve
serve(int(sys.argv[1]))
"""
#: Those of LiteRT's ``Interpreter`` that are used here.
_CALLS = (
    "allocate_tensors",
    "get_input_details",
    "get_output_details",
    "get_signature_list",
    "get_tensor",
    "invoke",
    "reset_all_variables",
    "set_tensor",
)


class SeparateInterpreter:
    """LiteRT's ``Interpreter``, as far as it is used here, in another process.

    Raises RuntimeError and ValueError as it does, and RuntimeError where it crashes or takes too
    long.
    """

    def __init__(self, model_path: str, num_threads: int) -> None:
        self._pipe, other = Pipe()
        with other:
            # -P: nothing in the working folder, which may be a stranger's, is imported.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _PROGRAM, str(other.fileno())],
                pass_fds=[other.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        weakref.finalize(self, _end, self._pipe, self._process)
        self._call("load", model_path, num_threads)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in _CALLS:
            raise AttributeError(name)
        return partial(self._call, name)

    def get_signature_runner(self) -> SimpleNamespace:
        """Return the ends of the only signature."""
        inputs, outputs = self._call("signature")
        return SimpleNamespace(get_input_details=lambda: inputs, get_output_details=lambda: outputs)

    def _call(self, name: str, *arguments: Any) -> Any:
        """Return what a call in the other process returns, or raise what it raised."""
        try:
            self._pipe.send((name, arguments))
            result = self._pipe.recv()
        except (EOFError, OSError):
            raise RuntimeError(self._ending()) from None
        if isinstance(result, _ERRORS):
            raise result
        return result

    def _ending(self) -> str:
        """Return how the other process ended, in words."""
        code = self._process.wait()
        if code == -signal.SIGALRM:
            return f"it took longer than {LONGEST} s"
        if code < 0:
            return f"it crashed by {signal.Signals(-code).name}"
        return f"it ended with exit code {code}"


def _end(pipe: Connection, process: subprocess.Popen) -> None:
    """End a process that nobody asks any more."""
    pipe.close()
    process.kill()
    process.wait()


def serve(descriptor: int) -> None:
    """Answer calls from a pipe until it is closed; a call that takes too long ends the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    pipe = Connection(descriptor)
    interpreter = _Interpreter()
    while True:
        try:
            name, arguments = pipe.recv()
        except (EOFError, OSError):
            os._exit(0)
        signal.alarm(LONGEST)
        pipe.send(_answer(interpreter, name, arguments))
        signal.alarm(0)


def _answer(interpreter: "_Interpreter", name: str, arguments: tuple[Any, ...]) -> Any:
    """Return what a call returns, or the error that it raises."""
    try:
        return getattr(interpreter, name)(*arguments)
    except _ERRORS as error:
        return error


class _Interpreter:
    """The interpreter, once it is loaded, and what else is asked for."""

    _loaded: Any = None

    def load(self, model_path: str, num_threads: int) -> None:
        """Load a file."""
        from tinyprune.tflite.interpreter import interpreter_class

        self._loaded = interpreter_class()(model_path=model_path, num_threads=num_threads)

    def signature(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the ends of the only signature."""
        runner = self._loaded.get_signature_runner()
        return runner.get_input_details(), runner.get_output_details()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        called: Callable[..., Any] = getattr(self._loaded, name)
        return called
