"""`--help` must feel instant: under 0.3 s, and nothing heavy is loaded for it."""

import compileall
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.startup import PROBE
from tinyprune.cli import COMMANDS

BUDGET_SECONDS = 0.3
#: Python as people have it: it keeps bytecode, whatever the machine of the tests says.
ENVIRONMENT = {key: text for key, text in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


@pytest.fixture(scope="module", autouse=True)
def _compiled_once() -> None:
    """Leave bytecode, as an installation does: compiling is no part of a command's start."""
    package = Path(__file__).parents[2] / "tinyprune"
    compileall.compile_dir(package, quiet=2)


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
        [sys.executable, "-c", PROBE, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=ENVIRONMENT,
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
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=ENVIRONMENT, cwd=tmp_path
    )
    heavy, seconds = done.stderr.splitlines()[-1].split("|")
    assert heavy == "['numpy']"
    assert float(seconds) < 2 * BUDGET_SECONDS
    assert done.returncode == 2
    assert not list(tmp_path.iterdir())


def test_listing_loads_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-c", PROBE, "list"],
        capture_output=True,
        text=True,
        timeout=60,
        env=ENVIRONMENT,
    )
    assert done.stderr.splitlines()[-1].startswith("[]|")
