"""Every --help, beside Python that does nothing and Python that imports click."""

import argparse
import functools
import subprocess
import sys

from benchmarks.shared.environment import program
from benchmarks.shared.report import Case, Check, Report
from benchmarks.shared.sizes import SIZES
from benchmarks.shared.timing import difference, repeats, take_turns, timed
from tinyprune.cli import COMMANDS

LIMIT_SECONDS = 0.3
HEAVY = ("tensorflow", "keras", "tf_keras", "librosa", "ethosu")
PROBE = f"""
import sys
from tinyprune.cli import main
try:
    main(sys.argv[1:])
finally:
    print(*[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""


def measure(options: argparse.Namespace) -> Report:
    """Wall-clock time of whole processes."""
    start = program("tinyprune", [sys.executable, "-m", "tinyprune"])
    commands_asked = list(COMMANDS)[: SIZES.helps or None]
    helps = [["--help"], *([name, "--help"] for name in commands_asked)]
    nothing, click = "python -c pass", "python -c 'import click'"
    commands = {
        nothing: [sys.executable, "-c", "pass"],
        click: [sys.executable, "-c", "import click"],
    }
    commands |= {" ".join(["tinyprune", *arguments]): [*start, *arguments] for arguments in helps}
    cases = {name: timed(functools.partial(_run, command)) for name, command in commands.items()}
    samples = take_turns(cases, repeats(options, 15, 5))
    slowest = max(list(samples)[2:], key=lambda name: Case(name, "s", samples[name]).median)
    loaded = sorted({name for arguments in helps for name in _loaded(arguments)})
    return Report(
        [Case(name, "s", values) for name, values in samples.items()],
        [
            Check(
                f"slowest: {slowest}",
                Case(slowest, "s", samples[slowest]).median,
                "s",
                LIMIT_SECONDS,
            ),
            Check(
                "tinyprune --help, more than import click",
                difference(samples["tinyprune --help"], samples[click]),
                "s",
            ),
            Check(f"loaded of {', '.join(HEAVY)}", len(loaded), "modules", 0),
        ],
        [f"loaded: {', '.join(loaded)}"] if loaded else [],
    )


def _run(command: list[str]) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def _loaded(arguments: list[str]) -> list[str]:
    """Which heavy modules are in ``sys.modules`` at the end."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=True
    )
    return done.stderr.splitlines()[-1].split()
