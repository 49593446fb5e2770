"""The lines on stderr: log lines of the program, and the one line that an error becomes."""

import logging
import re
import traceback
from functools import singledispatch

import click

from tinyprune import extras
from tinyprune.errors import TinypruneError, reason

LOGGER = logging.getLogger("tinyprune")

#: Click makes the second of the first.
INTERRUPTIONS = (KeyboardInterrupt, click.Abort)
#: What TensorFlow raises, which is not imported here, and where it says how much it wanted.
_OUT_OF_MEMORY = "ResourceExhaustedError"
_TOO_LARGE = re.compile(r"allocating tensor with shape\[([\d,]+)\]")
_LONGEST_LINE = 1500
INTERRUPTED = 130  # as a shell reports a program that Ctrl-C ended


class _EchoHandler(logging.Handler):
    """A handler that writes log lines to whatever stderr is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, also of a file name that has two."""
        line = self.format(record).replace("\n", "\\n")
        click.echo(line, err=True)


def start_logging() -> None:
    """Send the log lines of tinyprune to stderr."""
    if any(isinstance(handler, _EchoHandler) for handler in LOGGER.handlers):
        return
    LOGGER.addHandler(_EchoHandler())
    LOGGER.propagate = False  # a library that configures the root logger must not repeat our lines


def set_level(quiet: bool, verbose: bool) -> None:
    """Set the log level. ``-q``: warnings only; ``-v``: everything, with tracebacks."""
    if quiet:
        LOGGER.setLevel(logging.WARNING)
    elif verbose:
        LOGGER.setLevel(logging.DEBUG)
    else:
        LOGGER.setLevel(logging.INFO)


def report(error: BaseException) -> int:
    """Write the line of an error to stderr. Return the exit code."""
    line, code = describe(error)
    if LOGGER.isEnabledFor(logging.DEBUG):
        click.echo("".join(traceback.format_exception(error)), err=True)
    prefix = "error: "
    if isinstance(error, INTERRUPTIONS):
        prefix = ""
    click.echo(f"{prefix}{line}", err=True)
    return code


@singledispatch
def describe(error: BaseException) -> tuple[str, int]:
    """Return the line and the exit code of an error."""
    if type(error).__name__ == _OUT_OF_MEMORY:
        return _memory_line(error), 1
    message = _first_line(str(error))
    return f"unexpected {type(error).__name__}: {message}; run with -v for the traceback", 1


@describe.register
def _describe_own(error: TinypruneError) -> tuple[str, int]:
    """Return the line and the exit code of an error that is meant for a person."""
    return _one_line(str(error)), error.exit_code


@describe.register
def _describe_missing(error: ModuleNotFoundError) -> tuple[str, int]:
    """Return the line and the exit code where a package is missing: of an extra, how it comes."""
    package = str(error.name).partition(".")[0]
    if extras.extra_of(package) is None:
        return describe.dispatch(Exception)(error)
    return describe(extras.missing(package, "this"))


@describe.register
def _describe_memory(error: MemoryError) -> tuple[str, int]:
    """Return the line and the exit code where there is not enough memory."""
    text = _first_line(str(error)) if str(error) else "nothing is left"
    return f"not enough memory ({text}): give it a smaller input, or free some", 1


@describe.register(KeyboardInterrupt)
@describe.register(click.Abort)
def _describe_interrupt(error: BaseException) -> tuple[str, int]:
    """Return the line and the exit code after Ctrl-C, SIGTERM or SIGHUP."""
    code = getattr(error, "exit_code", INTERRUPTED)
    return "interrupted; run the same command again to continue", code


@describe.register
def _describe_click(error: click.ClickException) -> tuple[str, int]:
    """Return the line and the exit code of a wrong command line."""
    return _click_line(error), error.exit_code


@describe.register
def _describe_os(error: OSError) -> tuple[str, int]:
    """Return the line and the exit code of a file or a disk that refuses."""
    if not error.strerror:
        return describe.dispatch(Exception)(error)
    return _os_line(error), 1


def _memory_line(error: BaseException) -> str:
    """Return the line where TensorFlow has no memory for a tensor, whose shape it names."""
    found = _TOO_LARGE.search(str(error))
    what = f"for numbers of the shape {found[1].replace(',', 'x')}" if found else "for this network"
    return f"not enough memory {what}: try a smaller --batch-size, network or input, or free some"


def _click_line(error: click.ClickException) -> str:
    """Return the line of a wrong command line, with where to read on."""
    context = getattr(error, "ctx", None)
    hint = ""
    if context:
        hint = f" (see {context.command_path} --help)"
    return f"{_one_line(error.format_message())}{hint}"


def _os_line(error: OSError) -> str:
    """Return the line of a file or a disk that refuses, with what to try."""
    line = reason(error)
    if error.filename is None:
        return line
    return f"{error.filename}: {line}"


def _one_line(text: str) -> str:
    """Return the text with its line breaks as spaces; of a very long one both ends.

    A message quotes what it is about, which may be a value of any length.
    """
    line = " ".join(text.split())
    if len(line) <= _LONGEST_LINE:
        return line
    return f"{line[: _LONGEST_LINE // 2]} ... {line[-_LONGEST_LINE // 2 :]}"


def _first_line(text: str) -> str:
    """Return the first line of a text; a library's message may be pages long."""
    if text.strip():
        return _one_line(text.strip().splitlines()[0])
    return "no message"
