"""What becomes of the figures: a table on the screen, a JSON file, and on which machine they were taken."""

import datetime
import importlib.metadata
import json
import os
import platform
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.common import WIDTH, Case, Check, Report

DISTRIBUTIONS = (
    "tinyprune",
    "tensorflow",
    "keras",
    "tensorflow-model-optimization",
    "ai-edge-litert",
    "ethos-u-vela",
)
DISTRIBUTIONS += ("numpy", "librosa", "click")


def environment() -> dict[str, Any]:
    """When, with which versions and on how much of a machine."""
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
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def write(
    path: Path, name: str, title: str, report: Report, measured_on: Mapping[str, Any]
) -> None:
    """The results as JSON."""
    content = {
        "name": name,
        "title": title,
        **measured_on,
        "cases": [
            {"what": c.what, "unit": c.unit, "median": c.median, "samples": c.samples}
            for c in report.cases
        ],
        "checks": [{**vars(check), "holds": check.holds} for check in report.checks],
        "notes": list(report.notes),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def table(name: str, title: str, report: Report, measured_on: Mapping[str, Any]) -> str:
    """The results as text of at most 100 columns."""
    where = f"{measured_on['date'][:10]}, {measured_on['cores']} cores, load {measured_on['load_average_before']}"
    lines = ["", *_wrapped(f"{name}: {title}"), *_wrapped(f"{where}, {measured_on['processor']}")]
    lines += [f"{'':<52}{'median':>10}{'lowest':>10}{'highest':>10}{'':>12}{'runs':>5}"]
    lines += [*map(_case, report.cases), *map(_check, report.checks)]
    return "\n".join(
        [*lines, *(line for note in report.notes for line in _wrapped(f"note: {note}"))]
    )


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ")


def _case(case: Case) -> str:
    numbers = "".join(
        f"{_number(value):>10}" for value in (case.median, min(case.samples), max(case.samples))
    )
    return f"{case.what:<52.51}{numbers} {case.unit:<11}{len(case.samples):>5}"


def _check(check: Check) -> str:
    limit = f"{'>=' if check.at_least else '<='} {check.limit or 0:g}: {'holds' if check.holds else 'MISSED'}"
    value = f"{check.what:<62.61}{_number(check.value):>10} {check.unit:<11}"
    return (value if check.limit is None else value + limit).rstrip()


def _number(value: float) -> str:
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3f}"
