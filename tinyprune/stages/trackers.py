"""What a command has made, sent to a tracker of experiments: TensorBoard, MLflow or W&B.

Everything is read from the run folder after it is finished there, so a tracker that fails costs no
training, and a run that was made without one can be sent by giving the same command again.
"""

import importlib
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyprune import extras
from tinyprune.errors import TinypruneError, check_name
from tinyprune.report.model.collection import collect_report
from tinyprune.report.model.record import RunReport, VariantRecord
from tinyprune.report.model.summary import summary_rows
from tinyprune.storage.run_folder import Workspace

log = logging.getLogger(__name__)
TENSORBOARD, MLFLOW, WANDB = "tensorboard", "mlflow", "wandb"
PROJECT = "tinyprune"


@dataclass(frozen=True)
class Logged:
    """The records of one variant, as a tracker takes them.

    Attributes:
        run: name of the run folder.
        folder: the run folder.
        name: of the variant.
        settings: dotted key of its configuration -> value.
        curves: a row per epoch: column -> value.
        results: name -> value: metrics on dev, and costs per target as ``TARGET/NAME``.
        files: the finished files: networks, history, plan.
    """

    run: str
    folder: Path
    name: str
    settings: Mapping[str, Any]
    curves: Sequence[Mapping[str, float]]
    results: Mapping[str, float]
    files: Sequence[Path]


def check_tracker(name: str) -> None:
    """Raise UsageError, before anything is trained, for a tracker that is not there."""
    check_name("tracker", name, _SEND)
    extras.require(name, f"--log {name}")


def log_run(folder: Path, name: str) -> None:
    """Send every finished variant of a run to a tracker.

    Raises TinypruneError, in one line, where the tracker refuses: the run folder is complete.
    """
    report = collect_report(Workspace(folder))
    variants = [record for record in report.variants if record.state]
    for record in variants:
        logged = _logged(report, folder, record)
        try:
            _SEND[name](logged)
        except Exception as error:  # whatever it is: what was trained is in the run folder
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise TinypruneError(
                f"{name} took nothing of {record.name} ({lines[0]}): the run in {folder} is "
                "complete; the same command again sends it"
            ) from error
    log.info("%s has %d variants of %s", name, len(variants), folder)


def _logged(report: RunReport, folder: Path, record: VariantRecord) -> Logged:
    """Return what a tracker is told of a variant."""
    files = []
    for entry in report.manifest:
        if entry.stage.partition("/")[0] == record.name and entry.state == "unchanged":
            files.append(folder / entry.path)
    curves = []
    for row in record.history:
        curves.append({name: value for name, value in row.items() if value is not None})
    return Logged(
        run=report.run,
        folder=folder,
        name=record.name,
        settings=dict(_flat(record.configuration)),
        curves=curves,
        results=_results(report, record),
        files=files,
    )


def _flat(table: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted keys of nested tables, with what is set."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{where}{key}.")
        elif value not in (None, []):
            yield f"{where}{key}", value


def _results(report: RunReport, record: VariantRecord) -> dict[str, float]:
    """Return the final table of a variant: metrics by form, and costs by target."""
    results: dict[str, float] = {}
    for quality in record.qualities:
        for name, value in quality.metrics.items():
            results[f"{quality.form}/{name}"] = value
    for summary in report.summaries:
        for row in summary_rows(summary):
            if row["variant"] == record.name:
                results.update(_numbers(row, summary.target.name))
    return {name: value for name, value in results.items() if math.isfinite(value)}


def _numbers(row: Mapping[str, Any], target: str) -> dict[str, float]:
    """Return the costs of a row of the table; metrics are there already."""
    numbers = {}
    for name, value in row.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            numbers[f"{target}/{name}"] = float(value)
    return numbers


# --- trackers


def _to_tensorboard(logged: Logged) -> None:
    """Write event files into ``RUN/tensorboard/VARIANT``; files are named, not copied."""
    import tensorflow as tf

    folder = logged.folder / TENSORBOARD / logged.name
    for old in folder.glob("events.out.tfevents.*"):  # of the same variant, sent before
        old.unlink()
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        for row in logged.curves:
            for name, value in row.items():
                tf.summary.scalar(f"training/{name}", value, step=int(row["epoch"]))
        for name, value in logged.results.items():
            tf.summary.scalar(f"result/{name}", value, step=0)
        tf.summary.text("settings", _as_table(logged.settings), step=0)
        files = {path.name: path.stat().st_size for path in logged.files}
        tf.summary.text("files", _as_table(files), step=0)
    writer.close()


def _as_table(values: Mapping[str, Any]) -> str:
    """Return a Markdown table, which TensorBoard shows."""
    rows = [f"| {name} | {value} |" for name, value in values.items()]
    return "\n".join(["| name | value |", "| --- | --- |", *rows])


def _to_mlflow(logged: Logged) -> None:
    """Make a run in the experiment of the run folder's name."""
    mlflow = importlib.import_module(MLFLOW)
    mlflow.set_experiment(logged.run)
    with mlflow.start_run(run_name=logged.name):
        for name, value in logged.settings.items():
            mlflow.log_param(_plain(name), str(value)[:_LONGEST_PARAMETER])
        for row in logged.curves:
            metrics = {f"training/{_plain(name)}": value for name, value in row.items()}
            mlflow.log_metrics(metrics, step=int(row["epoch"]))
        mlflow.log_metrics({_plain(name): value for name, value in logged.results.items()})
        for path in logged.files:
            mlflow.log_artifact(str(path))


#: What every store of MLflow takes.
_LONGEST_PARAMETER = 500


def _plain(name: str) -> str:
    """Return a name with the characters that MLflow takes."""
    return "".join(char if char.isalnum() or char in "_-./ " else "_" for char in name)


def _to_wandb(logged: Logged) -> None:
    """Make a run in the project "tinyprune", in a group of the run folder's name."""
    wandb = importlib.import_module(WANDB)
    run = wandb.init(
        project=PROJECT, group=logged.run, name=logged.name, config=dict(logged.settings)
    )
    for row in logged.curves:
        run.log({f"training/{name}": value for name, value in row.items()}, step=int(row["epoch"]))
    run.summary.update(dict(logged.results))
    artifact = wandb.Artifact(f"{logged.run}-{logged.name}", type="model")
    for path in logged.files:
        artifact.add_file(str(path))
    run.log_artifact(artifact)
    run.finish()


#: Name of a tracker, which is that of its package and of its extra -> how it is sent to.
_SEND = {TENSORBOARD: _to_tensorboard, MLFLOW: _to_mlflow, WANDB: _to_wandb}
