#!/usr/bin/env python3
"""Tests with other versions: the lowest ones that pyproject.toml allows, and the newest Python.

Each has an environment of its own in .venv-versions. What cannot be installed here, because wheels
or an interpreter are missing or the machine is too slow, is skipped with a line. Exit code 1 if a test
fails.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".venv-versions"
#: The tests that load, write and run files with the libraries: what versions break.
TESTS = (
    "tests/models/loading/test_hostile.py",
    "tests/models/loading/test_files.py",
    "tests/tflite/test_validity.py",
    "tests/storage",
    "tests/export/test_tflite.py",
    "tests/cli/test_cli_options.py",
    "tests/test_light.py",
)
#: Installs in seconds, and knows what the lowest versions are.
UV = FOLDER / "uv/bin/uv"
SECONDS_TO_INSTALL, SECONDS_TO_TEST = 150, 180
#: Of all environments together: what is left then is skipped.
SECONDS_IN_ALL = 420
SKIPPED = "skipped"


class Late(Exception):
    """A step that has taken too long and was ended."""


class Clock:
    """The time that is left."""

    def __init__(self) -> None:
        self._end = time.monotonic() + SECONDS_IN_ALL

    def seconds(self, most: float) -> float:
        """Return how long a step may take. Raises Late where there is no time for it."""
        left = self._end - time.monotonic()
        if left < 1:
            raise Late(f"there were {SECONDS_IN_ALL} s for everything")
        return min(most, left)


def main() -> int:
    """Run both, print a summary, and return the exit code."""
    clock = Clock()
    results = {
        "lowest versions": lowest_versions(clock),
        "newest Python": newest_python(clock),
    }
    for name, result in results.items():
        print(f"versions: {name}: {result}")
    return int(any(result.startswith("FAILED") for result in results.values()))


def lowest_versions(clock: Clock) -> str:
    """Test with every dependency at its lower bound."""
    return tested(clock, "lowest", sys.executable, ["--resolution", "lowest-direct"])


def newest_python(clock: Clock) -> str:
    """Test with the newest Python that is there, and the versions of constraints.txt."""
    found = interpreter()
    if found is None:
        return f"{SKIPPED}, there is no Python 3.13 or 3.12"
    return tested(clock, "newest", found, ["--constraint", str(ROOT / "constraints.txt")])


def interpreter() -> str | None:
    """Return the newest Python above the one that runs this; None where there is none."""
    for version in ("3.13", "3.12"):
        on_path = shutil.which(f"python{version}")
        candidates = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
        if on_path:
            candidates.append(Path(on_path))
        for candidate in reversed(candidates):
            if subprocess.run([candidate, "--version"], capture_output=True).returncode == 0:
                return str(candidate)
    return None


def tested(clock: Clock, name: str, python: str, choice: list[str]) -> str:
    """Install tinyprune into an environment of its own and run the tests; return the result in words.

    Args:
        clock: the time that is left.
        name: of the environment.
        python: interpreter.
        choice: options of uv that say which versions are taken.
    """
    folder = FOLDER / name
    own = folder / "bin/python"
    report = FOLDER / f"{name}.txt"
    install = [UV, "pip", "install", "--python", own, *choice, "--editable", f"{ROOT}[dev,train]"]
    steps = [
        [sys.executable, "-m", "venv", UV.parents[1]],
        [UV.parent / "python", "-m", "pip", "install", "--quiet", "uv"],
        [UV, "venv", "--allow-existing", "--python", python, folder],
        install,
    ]
    FOLDER.mkdir(exist_ok=True)
    try:
        for step in steps:
            if run(step, report, clock.seconds(SECONDS_TO_INSTALL)):
                return f"{SKIPPED}, it cannot be installed here ({last_line(report)})"
        command = [own, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", *TESTS]
        code = run(command, report, clock.seconds(SECONDS_TO_TEST))
    except Late as error:
        return f"{SKIPPED}, {error}"
    result = last_line(report, r"\d+ (passed|failed|error).* in ")
    if code == 0:
        return result
    print(report.read_text(errors="replace")[-6000:])
    return f"FAILED, {result}"


def run(command: list, report: Path, seconds: float) -> int:
    """Run a program, with what it says in a file; return its exit code.

    Raises Late where it took too long; it is ended with its children then.
    """
    with report.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=output, start_new_session=True
        )
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise Late(f"{Path(command[2]).name} took longer than {seconds:.0f} s") from None


def last_line(report: Path, pattern: str = r"(?!WARNING)\S") -> str:
    """Return the last line of what a program said that matches, by default any but warnings of pip."""
    said = report.read_text(errors="replace").splitlines()
    lines = [line for line in said if re.match(pattern, line)]
    return (lines or ["no output"])[-1][:200]


if __name__ == "__main__":
    sys.exit(main())
