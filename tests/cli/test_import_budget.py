"""`--help` must feel instant: a few times the import of click, and nothing heavy is loaded for it."""

import compileall
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.startup import PROBE
from tinyprune.cli import COMMANDS

#: Most CPU time of a --help, and of a slip that is refused, over that of a Python that imports click.
MOST_OF_HELP = 6
MOST_OF_A_SLIP = 12
CLICK = "import time, click; print(time.process_time())"
#: Python as people have it: it keeps bytecode, whatever the machine of the tests says.
ENVIRONMENT = {key: text for key, text in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


@pytest.fixture(scope="module", autouse=True)
def _compiled_once() -> None:
    """Leave bytecode, as an installation does: compiling is no part of a command's start."""
    package = Path(__file__).parents[2] / "tinyprune"
    compileall.compile_dir(package, quiet=2)


@pytest.fixture(scope="module")
def click_seconds() -> float:
    """Return the CPU time of a Python that imports click, the second of two."""
    command = [sys.executable, "-c", CLICK]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRONMENT)
    return float(done.stdout)


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
def test_help_is_quick_and_loads_nothing_heavy(arguments, click_seconds):
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=ENVIRONMENT,
    )
    heavy, seconds = done.stderr.splitlines()[-1].split("|")
    assert heavy == "[]"
    assert float(seconds) < MOST_OF_HELP * click_seconds


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
def test_a_slip_is_said_at_once(arguments, tmp_path, click_seconds):
    """NumPy may be there by then; no framework is."""
    command = [sys.executable, "-c", PROBE, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=ENVIRONMENT, cwd=tmp_path
    )
    heavy, seconds = done.stderr.splitlines()[-1].split("|")
    assert heavy in ("[]", "['numpy']")
    assert float(seconds) < MOST_OF_A_SLIP * click_seconds
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
