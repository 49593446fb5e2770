"""`--help` must feel instant: under 0.3 s, and nothing heavy is loaded for it."""

import subprocess
import sys

import pytest

from tinyprune.cli import COMMANDS

HEAVY = ["tensorflow", "keras", "tensorflow_model_optimization", "librosa", "ethosu", "numpy", "scipy", "soundfile"]
BUDGET_SECONDS = 0.3

# CPU time of the process, not wall-clock time: other work on the machine does not count.
PROBE = f"""
import sys, time
from tinyprune.cli import main
try:
    main(sys.argv[1:])
finally:
    print([name for name in {HEAVY} if name in sys.modules], time.process_time(), sep="|", file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS), ["train", "--model", "none"]],
    ids=" ".join,
)
def test_help_is_quick_and_loads_nothing_heavy(arguments):
    done = subprocess.run([sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, timeout=60)
    heavy, seconds = done.stderr.splitlines()[-1].split("|")
    assert heavy == "[]"
    assert float(seconds) < BUDGET_SECONDS


def test_listing_loads_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", PROBE, "list"], capture_output=True, text=True, timeout=60)
    assert done.stderr.splitlines()[-1].startswith("[]|")
