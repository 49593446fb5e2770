"""`--help` must feel instant: little is loaded for it, and nothing heavy."""

import subprocess
import sys

import pytest

from tests.support.startup import PROBE
from tinyprune.cli import COMMANDS

#: Most modules that a --help, and a slip that is refused, load. Click alone brings about 100; what
#: they cost in time is measured by `benchmarks/run.py startup`.
MOST_OF_HELP = 260
MOST_OF_A_SLIP = 450


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        *([name, "--help"] for name in COMMANDS),
        *(["data", name, "--help"] for name in ("describe", "mix")),
    ],
    ids=" ".join,
)
def test_help_loads_little_and_nothing_heavy(arguments):
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )
    heavy, modules = done.stderr.splitlines()[-1].split("|")
    assert heavy == "[]"
    assert int(modules) < MOST_OF_HELP


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--model", "none"],
        ["train", "--model", "none.keras"],
        ["prune", "--structure", "none"],
        ["prune", "--run", "none"],
        ["prune", "--offline", "none.tflite"],
    ],
    ids=" ".join,
)
def test_a_slip_is_said_at_once(arguments, tmp_path):
    """NumPy may be there by then; no framework is."""
    command = [sys.executable, "-c", PROBE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    heavy, modules = done.stderr.splitlines()[-1].split("|")
    assert heavy in ("[]", "['numpy']")
    assert int(modules) < MOST_OF_A_SLIP
    assert done.returncode == 2
    assert not list(tmp_path.iterdir())


def test_listing_loads_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-c", PROBE, "list"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr.splitlines()[-1].startswith("[]|")
