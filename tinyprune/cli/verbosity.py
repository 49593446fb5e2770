"""The options ``-q`` and ``-v``, apart from the others: groups need no configuration for them."""

from typing import Any

import click

from tinyprune.cli import messages


def _level(ctx: click.Context, param: click.Parameter, is_given: bool) -> None:
    """Callback of ``-q`` and ``-v``: set how much goes to stderr."""
    if is_given:
        messages.set_level(quiet=param.name == "quiet", verbose=param.name == "verbose")


def _verbosity(short: str, long: str, text: str) -> Any:
    """Return the decorator of ``-q`` or ``-v``."""
    return click.option(short, long, is_flag=True, expose_value=False, callback=_level, help=text)


def verbosity(command: Any) -> Any:
    """Add ``-q`` and ``-v``, which may stand before the command or after it."""
    quiet = _verbosity("-q", "--quiet", "Show only warnings and errors on stderr.")
    verbose = _verbosity("-v", "--verbose", "Show more on stderr, and the traceback of an error.")
    return quiet(verbose(command))
