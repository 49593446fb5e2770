"""Progress of a training on stderr: one live line, and one line per epoch that stays."""

import logging
import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from tinyprune.metrics.metric import metric_of
from tinyprune.units import counted, format_count, format_seconds

TIMED_SECONDS = 2.0  # of steps, before the time of a training is estimated
log = logging.getLogger(__name__)


class Progress:
    """Epoch, step, loss, time left and dev score of a training. A context manager."""

    def __init__(self, title: str, metric: str, epochs: int, steps: int, done: int) -> None:
        """Begin after ``done`` of ``epochs`` epochs, each of ``steps`` steps.

        ``metric``: name of the score.
        """
        self.title = title
        self.metric = metric_of(metric)
        self.epochs = epochs
        self.steps = steps
        self.score = ""
        self._first = done
        self._timed_from: float | None = None
        self.console = Console(stderr=True, highlight=False)
        self.quiet = not log.isEnabledFor(logging.INFO)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(20),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        self._is_live = self.console.is_terminal and not self.quiet
        self._bar = RichProgress(*columns, console=self.console, disable=not self._is_live)
        self._task = self._bar.add_task(
            title, total=epochs * steps, completed=done * steps, note=""
        )
        if done and not self.quiet:
            self.console.print(f"{title}: continuing after epoch {done} of {epochs}")

    clock = staticmethod(time.monotonic)

    def begin(self, parameters: int) -> None:
        """Print what is trained: the first step, which comes now, takes longest."""
        if not self.quiet and self._first < self.epochs:
            epochs, steps = counted(self.epochs, "epoch"), counted(self.steps, "step")
            self.console.print(
                f"{self.title}: {format_count(parameters)} parameters, {epochs} of {steps}",
                soft_wrap=True,
            )

    def __enter__(self) -> "Progress":
        if self._is_live:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_live:
            self._bar.stop()

    def step(self, epoch: int, step: int, loss: float) -> None:
        """Update the live line after an optimizer step of an epoch (from 0)."""
        if epoch == self._first:
            self._estimate(step)
        note = (
            f"epoch {epoch + 1}/{self.epochs} step {step}/{self.steps} loss {loss:.3f}{self.score}"
        )
        self._bar.update(self._task, completed=epoch * self.steps + step, note=note)

    def _estimate(self, step: int) -> None:
        """Print once how long the steps take, as soon as some of them were timed.

        The first step is not one of them: it builds the graph.
        """
        if step == 1:
            self._timed_from = self.clock()
        if step == 1 or self._timed_from is None:
            return
        seconds = self.clock() - self._timed_from
        if seconds < TIMED_SECONDS:
            return
        self._timed_from = None
        left = (self.epochs - self._first) * self.steps - step
        if not self.quiet:
            self.console.print(
                f"{self.title}: about {format_seconds(seconds / (step - 1) * left)} left, and the "
                "scores on dev",
                soft_wrap=True,
            )

    def epoch_done(self, epoch: int, record: Any, best: float | None, note: str = "") -> None:
        """Print the line of an epoch (from 0)."""
        score = f"dev {self.metric.in_words(record.score)}"
        self.score = f" {score}"
        if self.quiet:
            return
        mark = ""
        if best == record.score:
            mark = "  best"
        left = record.seconds * (self.epochs - epoch - 1)
        beside = ""
        if note:
            beside = f"  {note}"
        self.console.print(
            f"{self.title}: epoch {epoch + 1}/{self.epochs}  loss {record.loss:.4f}  "
            f"{score}  {record.seconds:.1f} s, {left:.0f} s left{mark}{beside}",
            soft_wrap=True,
        )
