"""The report of a run."""

from pathlib import Path

from tinyprune.report.model.collection import collect_report
from tinyprune.report.model.record import RunReport
from tinyprune.stages.run import Run, read_run


def report_run(run: Path | Run) -> RunReport:
    """Return what is known of a run, finished or not. Raises UsageError where there is none."""
    return collect_report(read_run(run).space)
