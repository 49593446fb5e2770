"""One row from beginning to end, in a process of its own: ``python -m benchmarks.paper.worker`` with a job on stdin."""

import json
import logging
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.paper import record, score
from benchmarks.paper.experiment import described
from benchmarks.paper.record import Cost, RowRecord
from benchmarks.paper.rows import CLUSTERED, FLOAT, INT8, JOINT, OFFLINE, TFMOT, Row, find
from benchmarks.shared.environment import environment
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.resources import NpuTarget, ResourceReport
from tinyprune.config import (
    OfflinePruning,
    PruneConfig,
    RunConfig,
    TrainedPruning,
    from_mapping,
    to_mapping,
)
from tinyprune.npu import targets
from tinyprune.npu.batch import Compilation, compile_batch
from tinyprune.stages.export import ensure_exported
from tinyprune.stages.offline import prune_variant_offline
from tinyprune.stages.prune import prune_variant
from tinyprune.stages.run import Run
from tinyprune.storage.records import read_json
from tinyprune.storage.run_folder import Variant, Workspace

log = logging.getLogger(__name__)
TARGETS = (
    ("ethos-u55-128", "Shared_Sram"),
    ("ethos-u55-128", "Sram_Only"),
    ("ethos-u85-256", None),
)


@dataclass(frozen=True)
class Job:
    """What a process is asked for.

    Attributes:
        config: of the baseline. folder: the run folder. results: where the record goes. key: of the
            experiment.
        row: its id; None: train the baseline only. quick: whether the row is one of the quick ones.
    """

    config: RunConfig
    folder: Path
    results: Path
    key: str
    row: str | None
    quick: bool = False


def work(job: Job) -> None:
    """Train the baseline, or make a row and write its record; a row that fails leaves a record of that."""
    from tinyprune.stages.train import train_baseline

    if job.row is None:
        train_baseline(job.folder, job.config)
        return
    row = find(job.row, job.quick)
    begun = _begun(job, row)
    started = time.monotonic()
    try:
        with Workspace(job.folder).locked() as space:
            made = _made(Run(space), row, begun, seeded(row, job.config))
    except Exception as error:  # whatever it is, the other rows go on
        record.write(job.results, failed(begun, error, job.folder))
        raise
    record.write(job.results, replace(made, wall_seconds=round(time.monotonic() - started, 1)))


def failed(begun: RowRecord, error: object, folder: Path) -> RowRecord:
    """The record of a row that failed, in one line without the place of the run folder."""
    text = " ".join(str(error).split()) or type(error).__name__
    return replace(begun, state=record.FAILED, error=text.replace(str(folder), "the run folder"))


def seeded(row: Row, config: RunConfig) -> PruneConfig | None:
    """The pruning of a row with the seed of its baseline."""
    if isinstance(row.config, TrainedPruning | OfflinePruning):
        return replace(row.config, seed=config.train.seed)
    return row.config


def pruning_of(table: Mapping[str, Any] | None, is_trained: bool = True) -> PruneConfig | None:
    """The pruning that was recorded, later settings with their defaults; None for the baseline."""
    if not table:
        return None
    if is_trained:
        return from_mapping(given(table), TrainedPruning)
    return from_mapping(given(table), OfflinePruning)


def given(table: Mapping[str, Any]) -> dict[str, Any]:
    """Tables as a configuration is built of them: without what is not set, at any depth."""
    return {k: given(v) if isinstance(v, dict) else v for k, v in table.items() if v is not None}


def begin(job: Job) -> RowRecord:
    """The record of a row that has no figures yet."""
    assert job.row is not None
    return _begun(job, find(job.row, job.quick))


def _begun(job: Job, row: Row) -> RowRecord:
    pruning = seeded(row, job.config)
    return RowRecord(
        task=row.task,
        row=row.name,
        structure=row.structure,
        way=row.way,
        key=job.key,
        state=record.FINISHED,
        seed=job.config.train.seed,
        config=to_mapping(pruning) if pruning else {},
        baseline=described(job.config),
        measured_on=environment(),
    )


def _made(run: Run, row: Row, begun: RowRecord, pruning: PruneConfig | None) -> RowRecord:
    variant, notes = WAYS[row.way](run, pruning)
    form = "float" if row.way == FLOAT else run.record.forms[0]
    seconds, epochs = _training(variant.folder / "history.csv")
    parameters = read_json(variant.folder / "size.json", int)
    made = replace(
        begun,
        data_sha256=run.baseline.configuration()["data_sha256"],
        training_seconds=seconds,
        epochs=epochs,
        parameters=parameters,
        form=form,
        file_bytes=4 * parameters,
        dev=score.dev(run, variant.name, form),
        notes=tuple(notes),
    )
    if form == "float":
        return made
    artifact = read_json(variant.folder / f"{form}.json", TFLiteArtifact)
    costs = _costs(variant, artifact)
    return replace(made, file_bytes=artifact.file_bytes, sparsity=artifact.sparsity, costs=costs)


def _baseline(run: Run, config: PruneConfig | None) -> tuple[Variant, list[str]]:
    ensure_exported(run, run.baseline)
    return run.baseline, []


def _joint(run: Run, config: PruneConfig | None) -> tuple[Variant, list[str]]:
    assert config is not None
    return prune_variant(run, config), []


def _offline(run: Run, config: PruneConfig | None) -> tuple[Variant, list[str]]:
    assert config is not None
    return prune_variant_offline(run, run.require(config.base), config), []


def _tfmot(run: Run, config: PruneConfig | None) -> tuple[Variant, list[str]]:
    from benchmarks.paper import tfmot_speech

    assert config is not None
    return tfmot_speech.prune(run, config)


WAYS: dict[str, Callable[[Run, PruneConfig | None], tuple[Variant, list[str]]]] = {
    FLOAT: _baseline,
    INT8: _baseline,
    JOINT: _joint,
    OFFLINE: _offline,
    CLUSTERED: _offline,
    TFMOT: _tfmot,
}


def chosen_targets() -> list[NpuTarget]:
    """What every row is compiled for."""
    return [targets.resolve(npu, memory_mode=mode) for npu, mode in TARGETS]


def _costs(variant: Variant, artifact: TFLiteArtifact) -> dict[str, Cost]:
    """Compiled where `tinyprune compile` would put it, so that neither does it twice."""
    source, wanted = variant.folder / artifact.path, chosen_targets()
    jobs = [
        Compilation(source, target, variant.folder / "compiled" / target.name, artifact.layers)
        for target in wanted
    ]
    return {
        target.name: _cost(made.report)
        for target, made in zip(wanted, compile_batch(jobs), strict=True)
    }


def _cost(report: ResourceReport) -> Cost:
    return Cost(**{name: getattr(report, name) for name in Cost.__dataclass_fields__})


def _training(history: Path) -> tuple[float, int]:
    """Seconds and number of all epochs, of a training that was interrupted too."""
    if not history.exists():
        return 0.0, 0
    header, *lines = history.read_text(encoding="utf-8").splitlines()
    column = header.split(",").index("seconds")
    return round(sum(float(line.split(",")[column]) for line in lines), 1), len(lines)


def main() -> int:
    """Work on the job that comes on stdin as JSON; returns the exit code."""
    from benchmarks.shared.environment import log_to_stderr
    from tinyprune.cli import native_output
    from tinyprune.errors import TinypruneError

    asked = json.load(sys.stdin)
    native_output.mute()
    log_to_stderr()
    places = {name: Path(asked.pop(name)) for name in ("folder", "results")}
    try:
        work(Job(config=from_mapping(asked.pop("config")), **places, **asked))
    except TinypruneError as error:
        log.error("%s: %s", asked["row"] or "baseline", error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
