"""`--help` must feel instant: under 0.3 s, and nothing heavy is loaded for it."""

import subprocess
import sys

import pytest

from tests.support.startup import PROBE
from tinyprune.cli import COMMANDS

BUDGET_SECONDS = 0.3


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
def test_help_is_quick_and_loads_nothing_heavy(arguments):
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, timeout=60
    )
    heavy, seconds = done.stderr.splitlines()[-1].split("|")
    assert heavy == "[]"
    assert float(seconds) < BUDGET_SECONDS


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
    """NumPy is there by then; no framework is."""
    command = [sys.executable, "-c", PROBE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    heavy, seconds = done.stderr.splitlines()[-1].split("|")
    assert heavy == "['numpy']"
    assert float(seconds) < 2 * BUDGET_SECONDS
    assert done.returncode == 2
    assert not list(tmp_path.iterdir())


def test_listing_loads_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-c", PROBE, "list"], capture_output=True, text=True, timeout=60
    )
    assert done.stderr.splitlines()[-1].startswith("[]|")
