"""The errors that a person sees: one line that names the thing, what was expected and what to try."""

import difflib
from collections.abc import Iterable


class TinypruneError(Exception):
    """A failure with a message meant for the person at the terminal. Attributes: exit_code."""

    exit_code = 1


class UsageError(TinypruneError):
    """The command, an option or a recipe asks for something that does not exist or makes no sense (exit code 2)."""

    exit_code = 2


class CheckFailed(TinypruneError):
    """A budget or a check did not hold: the work was done, its result is not what was asked for (exit code 3)."""

    exit_code = 3


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that does not exist, e.g. ``unknown model 'tinylstn': did you mean 'tinylstm'? ...``."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return UsageError(f"unknown {kind} '{name}': {hint}expected one of: {', '.join(names)}")
