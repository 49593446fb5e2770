"""The machine, the versions and the repository that a measurement runs in."""

import datetime
import importlib.metadata
import logging
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DISTRIBUTIONS = (
    "tinyprune",
    "tensorflow",
    "keras",
    "tensorflow-model-optimization",
    "ai-edge-litert",
    "ethos-u-vela",
    "numpy",
    "librosa",
    "click",
)


def environment() -> dict[str, Any]:
    """Return the time, the versions, the processor and its load."""
    return {
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in DISTRIBUTIONS},
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def program(name: str, otherwise: Sequence[str]) -> list[str]:
    """Return the command of a program: its script in this virtual environment, else another way."""
    script = Path(sys.executable).with_name(name)
    return [str(script)] if script.exists() else list(otherwise)


def relative(path: Path) -> str:
    """Return a path as results state it: relative to the repository."""
    return Path(os.path.relpath(path, ROOT)).as_posix()


def log_to_stderr() -> None:
    """Log one line per epoch of a training."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("tinyprune").setLevel(logging.INFO)
