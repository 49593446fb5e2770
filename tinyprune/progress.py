"""The progress of anything that takes longer than two seconds.

It is a bar on stderr with the time left, and nothing in a pipe.
"""

import logging
from collections.abc import Iterable, Iterator
from operator import length_hint
from typing import TypeVar

Item = TypeVar("Item")
log = logging.getLogger(__name__)


def track(items: Iterable[Item], title: str, total: float | None = None) -> Iterator[Item]:
    """Yield the items, with a bar of those that have gone by, of ``total`` (None: unknown)."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(20),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    if not (console.is_terminal and log.isEnabledFor(logging.INFO)):
        yield from items
        return
    with Progress(*columns, console=console, transient=True) as progress:
        # Progress.track() joins a thread when it is closed: where an error leaves it behind, that
        # is at the end of the program, and Python 3.13 waits for ever then.
        task = progress.add_task(escape(title), total=total or length_hint(items) or None)
        for item in items:
            yield item
            progress.advance(task)
