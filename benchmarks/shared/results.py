"""The figures of a measurement as a table on the screen and as a JSON file."""

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.shared.report import WIDTH, Case, Check, Report


def write(
    path: Path, name: str, title: str, report: Report, measured_on: Mapping[str, Any]
) -> None:
    """Write the results as JSON."""
    cases = []
    for case in report.cases:
        figures = {"what": case.what, "unit": case.unit, "median": case.median}
        cases.append({**figures, "samples": case.samples})
    content = {
        "name": name,
        "title": title,
        **measured_on,
        "cases": cases,
        "checks": [{**vars(check), "holds": check.holds} for check in report.checks],
        "notes": list(report.notes),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def table(name: str, title: str, report: Report, measured_on: Mapping[str, Any]) -> str:
    """Return the results as text of at most 100 columns."""
    cores, load = measured_on["cores"], measured_on["load_average_before"]
    machine = f"{cores} cores, load {load}, {measured_on['processor']}"

    lines = [""]
    lines += _wrapped(f"{name}: {title}")
    lines += _wrapped(f"{measured_on['date'][:10]}, {machine}")
    lines.append(f"{'':<52}{'median':>10}{'lowest':>10}{'highest':>10}{'':>12}{'runs':>5}")
    lines += [_case(case) for case in report.cases]
    lines += [_check(check) for check in report.checks]
    for note in report.notes:
        lines += _wrapped(f"note: {note}")
    return "\n".join(lines)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ")


def _case(case: Case) -> str:
    figures = (case.median, min(case.samples), max(case.samples))
    numbers = "".join(f"{_number(value):>10}" for value in figures)
    return f"{case.what:<52.51}{numbers} {case.unit:<11}{len(case.samples):>5}"


def _check(check: Check) -> str:
    figure = f"{check.what:<62.61}{_number(check.value):>10} {check.unit:<11}"
    if check.limit is None:
        return figure.rstrip()
    direction = ">=" if check.at_least else "<="
    verdict = "holds" if check.holds else "MISSED"
    return f"{figure}{direction} {check.limit:g}: {verdict}"


def _number(value: float) -> str:
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3f}"
