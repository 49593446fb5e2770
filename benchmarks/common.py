"""What all measurements share: cases, limits, taking turns. Loads nothing heavy."""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 100
Sample = TypeVar("Sample")


class Unavailable(Exception):
    """A measurement cannot run here; the message says what is missing."""


@dataclass(frozen=True)
class Case:
    """One thing that was measured. Attributes: what; unit; samples, in the order they were taken."""

    what: str
    unit: str
    samples: list[float]

    @property
    def median(self) -> float:
        """Median of the samples."""
        return statistics.median(self.samples)


@dataclass(frozen=True)
class Check:
    """A figure that follows from cases.

    Attributes:
        what, value, unit: what it is.
        limit: what it must not pass, or None if it is for information.
        at_least: whether the limit is a lower one.
    """

    what: str
    value: float
    unit: str = "x"
    limit: float | None = None
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether the limit, if there is one, is kept."""
        return self.limit is None or (
            self.value >= self.limit if self.at_least else self.value <= self.limit
        )


@dataclass(frozen=True)
class Report:
    """What a measurement found. Attributes: cases; checks; notes, one sentence each."""

    cases: Sequence[Case]
    checks: Sequence[Check] = ()
    notes: Sequence[str] = field(default_factory=tuple)


def repeats(options: argparse.Namespace, usual: int, quick: int = 3) -> int:
    """How often each case runs."""
    return options.repeats or (quick if options.quick else usual)


def take_turns(cases: Mapping[str, Callable[[], Sample]], rounds: int) -> dict[str, list[Sample]]:
    """Run every case once per round, A B C A B C ..., after one round that does not count.

    Neighbours in time share what the machine does at that time, so compare them with :func:`ratio`.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in cases}
    for number in range(-1, rounds):
        for name, case in cases.items():
            say(f"{'warm-up' if number < 0 else f'round {number + 1}/{rounds}'}: {name}")
            value = case()
            if number >= 0:
                samples[name].append(value)
    say("")
    return samples


def say(text: str) -> None:
    """A line on stderr that the next one replaces; nothing where nobody watches."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text[: WIDTH - 1]}", end="", file=sys.stderr, flush=True)


def timed(function: Callable[[], Any]) -> Callable[[], float]:
    """A case that gives the seconds that a function takes."""

    def case() -> float:
        started = time.perf_counter()
        function()
        return time.perf_counter() - started

    return case


def ratio(these: Sequence[float], those: Sequence[float]) -> float:
    """Median over the rounds of this / that."""
    return statistics.median(a / b for a, b in zip(these, those, strict=True))


def difference(these: Sequence[float], those: Sequence[float]) -> float:
    """Median over the rounds of this - that."""
    return statistics.median(a - b for a, b in zip(these, those, strict=True))


def program(name: str, otherwise: Sequence[str]) -> list[str]:
    """How a program of this virtual environment is started: its script, or another way where there is none."""
    script = Path(sys.executable).with_name(name)
    return [str(script)] if script.exists() else list(otherwise)


def relative(path: Path) -> str:
    """A path for the results: relative to the repository."""
    return Path(os.path.relpath(path, ROOT)).as_posix()
