"""The report of a run for other programs: JSON has everything, CSV a row per variant and target."""

from pathlib import Path

from tinyprune.report.model.record import RunReport
from tinyprune.report.render.plain_data import json_text
from tinyprune.report.render.table import summaries_csv


def report_json(report: RunReport, _: Path) -> str:
    """The whole record."""
    return json_text(report)


def report_csv(report: RunReport, _: Path) -> str:
    """The summaries of all targets under one header."""
    return summaries_csv(report.summaries)
