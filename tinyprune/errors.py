"""The errors that a person sees: one line with the thing, what was expected, what to try."""

import difflib
from collections.abc import Iterable


class TinypruneError(Exception):
    """A failure with a message meant for the person at the terminal. Attributes: exit_code."""

    exit_code = 1


class UsageError(TinypruneError):
    """A command, an option or a recipe that names nothing or makes no sense (exit code 2)."""

    exit_code = 2


class CheckFailed(TinypruneError):
    """A budget or a check that did not hold, after the work was done (exit code 3)."""

    exit_code = 3


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Return the error for a name that does not exist.

    It says e.g. ``unknown model 'tinylstn': did you mean 'tinylstm'? expected one of: ...``.
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return UsageError(f"unknown {kind} '{name}': {hint}expected one of: {', '.join(names)}")
