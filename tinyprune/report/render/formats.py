"""The formats in which the report of a run is written to a file or a pipe.

To add one, write a function ``render(report, folder) -> text`` in a file of its own, and one line
in FORMATS; the choices of ``tinyprune report --format`` follow. Nothing heavy is imported before a
format is used. The tables of a terminal are in ``run_tables.py``.
"""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinyprune.report.model.record import RunReport


@dataclass(frozen=True)
class ReportFormat:
    """One format.

    Attributes:
        renderer: "module:function"; the function takes the report and the run folder, and returns
            text.
        file_name: in the run folder, where the text goes unless another file is named; empty for a
            format that people read, or other programs, from standard output.
    """

    renderer: str
    file_name: str = ""

    def render(self, report: "RunReport", folder: Path) -> str:
        """The report as text."""
        module, function = self.renderer.split(":")
        text: str = getattr(importlib.import_module(module), function)(report, folder)
        return text


FORMATS = {
    "json": ReportFormat("tinyprune.report.render.run_data:report_json"),
    "csv": ReportFormat("tinyprune.report.render.run_data:report_csv"),
    "markdown": ReportFormat("tinyprune.report.render.markdown:report_markdown"),
    "html": ReportFormat("tinyprune.report.render.html:page", file_name="report.html"),
}


def to_format(report: "RunReport", folder: Path, output_format: str) -> str:
    """The report of the run in ``folder`` in one of FORMATS."""
    return FORMATS[output_format].render(report, folder)
