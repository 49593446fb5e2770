#!/usr/bin/env python3
"""Tests with other versions: the lowest ones that pyproject.toml allows, and the newest Python.

Each has an environment of its own in .venv-versions. What cannot be installed here, because wheels
or an interpreter are missing, is skipped with a line. Exit code 1 if a test fails.
"""

import os
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".venv-versions"
#: The tests that load, write and run files with the libraries: what versions break.
TESTS = (
    "tests/models/loading",
    "tests/tflite",
    "tests/storage",
    "tests/export/test_tflite.py",
    "tests/export/test_matching.py",
    "tests/cli/test_cli_options.py",
    "tests/cli/test_messages.py",
    "tests/cli/test_bad_input.py",
    "tests/cli/test_signals.py",
)
#: Tools that no test needs.
NO_TESTS = ("import-linter", "mypy", "ruff")
SECONDS_TO_INSTALL, SECONDS_TO_TEST = 300, 300
SKIPPED = "skipped"


def main() -> int:
    """Run both, print a summary, and return the exit code."""
    results = {
        "lowest versions": lowest_versions(),
        "newest Python": newest_python(),
    }
    for name, result in results.items():
        print(f"versions: {name}: {result}")
    return int(any(result.startswith("FAILED") for result in results.values()))


def lowest_versions() -> str:
    """Test with every dependency at its lower bound."""
    bounds = FOLDER / "lowest.txt"
    FOLDER.mkdir(exist_ok=True)
    bounds.write_text("\n".join(lower_bounds()) + "\n")
    return tested("lowest", sys.executable, ["-r", str(bounds)])


def newest_python() -> str:
    """Test with the newest Python that is there, and the versions of constraints.txt."""
    found = interpreter()
    if found is None:
        return f"{SKIPPED}, there is no Python 3.13 or 3.12"
    requirements = [requirement.replace("==", ">=") for requirement in lower_bounds()]
    return tested("newest", found, ["-c", str(ROOT / "constraints.txt"), *requirements])


def lower_bounds() -> list[str]:
    """Return the requirements of pyproject.toml, each at its lower bound."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = project["dependencies"] + project["optional-dependencies"]["dev"]
    return [
        requirement.replace(">=", "==")
        for requirement in requirements
        if not requirement.startswith(NO_TESTS)
    ]


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


def tested(name: str, python: str, requirements: list[str]) -> str:
    """Install requirements into an environment and run the tests; return the result in words."""
    folder = FOLDER / name
    own = folder / "bin/python"
    install = [str(own), "-m", "pip", "install", "--quiet", *requirements]
    try:
        if not own.exists():
            subprocess.run([python, "-m", "venv", folder], check=True, timeout=SECONDS_TO_INSTALL)
        subprocess.run(install, check=True, timeout=SECONDS_TO_INSTALL, capture_output=True)
    except (subprocess.SubprocessError, OSError) as error:
        return f"{SKIPPED}, it cannot be installed here ({reason(error)})"
    report = FOLDER / f"{name}.txt"
    code = tests_run(own, report)
    if code is None:
        return f"{SKIPPED}, the tests took longer than {SECONDS_TO_TEST} s"
    said = report.read_text(errors="replace")
    summary = (said.strip().splitlines() or ["no output"])[-1]
    if code == 0:
        return summary
    print(said[-6000:])
    return f"FAILED, {summary}"


def tests_run(own: Path, report: Path) -> int | None:
    """Run the tests; return the exit code, None if they took too long and were ended."""
    command = [str(own), "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", *TESTS]
    with report.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=output, start_new_session=True
        )
        try:
            return process.wait(SECONDS_TO_TEST)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # with its workers
            process.wait()
            return None


def reason(error: Exception) -> str:
    """Return the last line of what an installation said."""
    output = getattr(error, "stderr", None) or b""
    lines = output.decode(errors="replace").strip().splitlines()
    return (lines or [type(error).__name__])[-1][:200]


if __name__ == "__main__":
    sys.exit(main())
