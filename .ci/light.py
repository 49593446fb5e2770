#!/usr/bin/env python3
"""The light install: ``pip install tinyprune`` alone, in an environment of its own, on finished files.

The commands of tests/support/light.py run there and here, where all extras are, and give the same. The
environment is in .venv-light. What cannot be installed here is skipped with a line. Exit code 1 if a
command fails, or makes something else.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.support import light  # noqa: E402  the root has to be there first
from tests.support.light import Command, Outcome  # noqa: E402

FOLDER = ROOT / ".venv-light"
PYTHON = FOLDER / "bin/python"
SECONDS_TO_INSTALL = 180
#: Packages that a new environment has anyway.
_OF_PYTHON = ("pip", "setuptools", "pkg_resources", "_distutils_hack")
_MOST_MEGABYTES = 200


def main() -> int:
    """Install, run, compare, and return the exit code."""
    began = time.monotonic()
    try:
        install()
    except subprocess.TimeoutExpired:
        print(f"light: skipped, to install it takes longer than {SECONDS_TO_INSTALL} s")
        return 0
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines() or ["no output"]
        print(f"light: skipped, it cannot be installed here ({lines[-1][:200]})")
        return 0
    megabytes = size()
    commands = [*light.WITHOUT_RUN, *light.WITH_RUN]
    with tempfile.TemporaryDirectory() as scratch:
        places = [Path(scratch, name) for name in ("with", "without")]
        for place in places:
            place.mkdir()
            light.write_recordings(place)
        write_run(places[0])
        subprocess.run(["cp", "-r", *places[0].iterdir(), places[1]], check=True)
        without = light.run_all(commands, places[1], python=str(PYTHON))
        finished = [command for command in commands if command.code == 0]
        here = dict(zip(finished, light.run_all(finished, places[0]), strict=True))
        faults = []
        for command, outcome in zip(commands, without, strict=True):
            faults += wrong(command, outcome)
            if command in here:
                faults += different(command, outcome, here[command], places)
    for fault in faults:
        print(f"light: {fault}")
    if megabytes > _MOST_MEGABYTES:
        faults.append("too big")
    seconds = time.monotonic() - began
    print(
        f"light: {len(commands)} commands, {len(faults)} faults, in {seconds:.0f} s; "
        f"tinyprune and what it needs take {megabytes} MB (at most {_MOST_MEGABYTES})"
    )
    return int(bool(faults))


def install() -> None:
    """Install tinyprune without extras, as a user does, into a new environment."""
    constraints = ["-c", ROOT / "constraints.txt"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", FOLDER],
        [PYTHON, "-m", "pip", "install", "--quiet", *constraints, ROOT],
    ):
        subprocess.run(command, check=True, capture_output=True, timeout=SECONDS_TO_INSTALL)


def size() -> int:
    """Return the megabytes on disk of what was installed."""
    [packages] = FOLDER.glob("lib/python*/site-packages")
    total = 0
    for path in packages.iterdir():
        if not path.name.startswith(_OF_PYTHON):
            total += int(subprocess.check_output(["du", "-sk", path]).split()[0])
    return round(total / 1024)


def write_run(folder: Path) -> None:
    """Train a tiny network on three kinds of vectors, prune it, and export both."""
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    examples = rng.normal(0, 0.3, (120, 8)).astype(np.float32)
    examples[np.arange(120), labels] += 1
    np.savez(folder / "examples.npz", x=examples, y=labels)
    for line in (
        f"train --path {folder}/examples.npz --epochs 4",
        "prune --sparsity 0.5 --epochs 2",
        "export",
    ):
        command = [sys.executable, "-m", "tinyprune", *line.split(), "--run", folder / light.RUN]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def wrong(command: Command, outcome: Outcome) -> list[str]:
    """Return what a command did that it should not have done."""
    said = outcome.stdout + outcome.stderr
    if outcome.code == command.code and command.says in said:
        return []
    return [f"`tinyprune {command.line}` ended with {outcome.code}: {said[-2000:]}"]


def different(command: Command, without: Outcome, here: Outcome, places: list[Path]) -> list[str]:
    """Return in what a command differs from itself where the extras are."""
    faults = []
    if command.is_same and without.stdout != here.stdout:
        faults.append(f"`tinyprune {command.line}` prints something else than with all extras")
    for name in command.files:
        contents = [(place / name).read_bytes() for place in places]
        if contents[0] != contents[1]:
            faults.append(f"`tinyprune {command.line}` makes another {name} than with all extras")
    return faults


if __name__ == "__main__":
    sys.exit(main())
