"""Taking turns: samples of several cases that share what the machine does at that time."""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from benchmarks.shared.report import WIDTH
from benchmarks.shared.sizes import SIZES

Sample = TypeVar("Sample")


def repeats(options: argparse.Namespace, usual: int, quick: int = 3) -> int:
    """Return how often each case runs."""
    if options.repeats:
        return int(options.repeats)
    if options.smoke:
        return 1
    return quick if options.quick else usual


def take_turns(cases: Mapping[str, Callable[[], Sample]], rounds: int) -> dict[str, list[Sample]]:
    """Run every case once per round, A B C A B C ..., after a round that does not count.

    Neighbours in time share what the machine does at that time, so compare them with :func:`ratio`.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in cases}
    for number in range(-SIZES.warm_up_rounds, rounds):
        stage = "warm-up" if number < 0 else f"round {number + 1}/{rounds}"
        for name, case in cases.items():
            say(f"{stage}: {name}")
            sample = case()
            if number >= 0:
                samples[name].append(sample)
    say("")
    return samples


def say(text: str) -> None:
    """Print a line on stderr that the next one replaces; nothing where nobody watches."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text[: WIDTH - 1]}", end="", file=sys.stderr, flush=True)


def timed(function: Callable[[], Any]) -> Callable[[], float]:
    """Return a case that gives the seconds that a function takes."""

    def case() -> float:
        started = time.perf_counter()
        function()
        return time.perf_counter() - started

    return case


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """Return the median over the rounds of numerator / denominator."""
    pairs = zip(numerators, denominators, strict=True)
    return statistics.median(above / below for above, below in pairs)


def difference(minuends: Sequence[float], subtrahends: Sequence[float]) -> float:
    """Return the median over the rounds of minuend - subtrahend."""
    pairs = zip(minuends, subtrahends, strict=True)
    return statistics.median(minuend - subtrahend for minuend, subtrahend in pairs)
