"""The report of a run, and the costs of its variants as files of other programs."""

from pathlib import Path

from tinyprune.errors import UsageError
from tinyprune.report.model.collection import collect_report
from tinyprune.report.model.record import RunReport
from tinyprune.report.render.model_explorer import node_data
from tinyprune.stages.run import Run, read_run
from tinyprune.tflite import flatbuffer


def report_run(run: Path | Run) -> RunReport:
    """Return what is known of a run, finished or not. Raises UsageError where there is none."""
    return collect_report(read_run(run).space)


def overlays(run: Path | Run, variant: str, folder: Path) -> dict[Path, str]:
    """Return the node data of Model Explorer of a variant, on the target that was compiled last.

    The keys are the files that they belong into. Raises UsageError for a variant that is not
    compiled.
    """
    opened = read_run(run)
    summaries = report_run(opened).summaries
    for row in summaries[0].variants if summaries else ():
        if row.name == variant:
            graph = flatbuffer.read(opened.space.variant(variant).folder / row.tflite.path.name)
            data = node_data(graph, row.report)
            return {folder / f"{variant}-{name}.json": text for name, text in data.items()}
    raise UsageError(f"variant '{variant}' is not compiled: run `tinyprune compile`")
