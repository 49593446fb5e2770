"""The errors that a person sees: one line with the thing, what was expected, what to try."""

import difflib
import errno
from collections.abc import Collection, Iterable

_ANOTHER_PLACE = "choose another place"
_FREE_SPACE = f"free some space or {_ANOTHER_PLACE}"
_ADVICE: dict[int | None, str] = {
    errno.ENOSPC: _FREE_SPACE,
    errno.EDQUOT: _FREE_SPACE,
    errno.EROFS: _ANOTHER_PLACE,
    errno.EACCES: f"check its permissions or {_ANOTHER_PLACE}",
    errno.EPERM: f"check its permissions or {_ANOTHER_PLACE}",
    errno.EEXIST: _ANOTHER_PLACE,
    errno.ENOTDIR: _ANOTHER_PLACE,
    errno.EISDIR: f"a folder is there: {_ANOTHER_PLACE}",
    errno.EBADF: "is standard output open?",
    errno.ENAMETOOLONG: "choose a shorter name",
}


class TinypruneError(Exception):
    """A failure with a message meant for the person at the terminal. Attributes: exit_code."""

    exit_code = 1


class UsageError(TinypruneError):
    """A command, an option or a recipe that names nothing or makes no sense (exit code 2)."""

    exit_code = 2


class CheckFailed(TinypruneError):
    """A budget or a check that did not hold, after the work was done (exit code 3)."""

    exit_code = 3


class Stopped(KeyboardInterrupt):
    """The end of the program by Ctrl-C, SIGTERM or SIGHUP. Attributes: exit_code."""

    def __init__(self, signal_number: int) -> None:
        super().__init__()
        self.exit_code = 128 + signal_number  # as a shell reports it


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Return the error for a name that does not exist.

    It says e.g. ``unknown model 'tinylstn': did you mean 'tinylstm'? expected one of: ...``.
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return UsageError(f"unknown {kind} '{name}': {hint}expected one of: {', '.join(names)}")


def check_name(kind: str, name: str, known: Collection[str]) -> None:
    """Raise what :func:`unknown_name` returns unless a name is one of those that are known."""
    if name not in known:
        raise unknown_name(kind, name, known)


def reason(error: OSError) -> str:
    """Return the words of a file or a disk that refuses, with what to try.

    They are e.g. ``Read-only file system; choose another place``.
    """
    words = error.strerror or str(error)
    advice = _ADVICE.get(error.errno)
    if advice:
        return f"{words}; {advice}"
    return words


def without_name(name: str, text: str) -> str:
    """Return a message without the name that it begins with, for a line that has said it."""
    return text.removeprefix(f"{name}: ").removeprefix(f"{name}, ")
