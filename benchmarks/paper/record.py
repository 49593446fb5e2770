"""What is kept of a row: one small JSON file, in a folder that is named after the data and the baseline."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinyprune.storage.records import read_json, write_json

SCHEMA = 1
FINISHED, FAILED = "finished", "failed"


@dataclass(frozen=True)
class Score:
    """One metric of a row.

    Attributes:
        mean: over all items.
        difference, low, high: mean of the paired differences to the float32 baseline, and its 95 %
            interval; None for the baseline itself, and where a metric has no interval.
    """

    mean: float
    difference: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Split:
    """What a row can do on one split.

    Attributes:
        items: how many were scored. items_sha256: of their names.
        scores: metric -> score. noisy: metric -> mean of the unprocessed input; empty where that
            means nothing.
    """

    items: int
    items_sha256: str
    scores: dict[str, Score]
    noisy: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """What Vela says of one target; attributes as in :class:`tinyprune.artifacts.resources.ResourceReport`."""

    sram_bytes: float
    flash_bytes: float
    encoded_weight_bytes: float
    scale_bytes: float
    cycles: float
    cycles_npu: float
    bound_by: str
    cpu_operators: tuple[str, ...] = ()


@dataclass(frozen=True)
class RowRecord:
    """One row, finished or failed.

    Attributes:
        schema: of this record. task, row, structure, way: as in :class:`benchmarks.paper.rows.Row`.
        key: digest of data, baseline and seed: rows with another key are of another experiment.
        state: "finished" or "failed". error: why it failed, one line.
        config: of the pruning. baseline: of the baseline, without folders. data_sha256: of training
            and dev data.
        seed: of the trainings. measured_on: date, versions, machine.
        wall_seconds: of the process that finished it. training_seconds, epochs: of all its epochs.
        parameters: weights and biases. sparsity: fraction of zeros in the kernels of the
            flatbuffer.
        form: what was scored, "float" or an int8 graph. file_bytes: of the ``.tflite``; in float32,
            of the parameters.
        dev, test: scores. costs: name of the target -> cost. notes: one sentence each.
    """

    task: str
    row: str
    structure: str
    way: str
    key: str
    state: str
    seed: int
    schema: int = SCHEMA
    error: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    baseline: dict[str, Any] = field(default_factory=dict)
    data_sha256: str = ""
    measured_on: dict[str, Any] = field(default_factory=dict)
    wall_seconds: float = 0.0
    training_seconds: float = 0.0
    epochs: int = 0
    parameters: int = 0
    sparsity: float = 0.0
    form: str = ""
    file_bytes: int = 0
    dev: Split | None = None
    test: Split | None = None
    costs: dict[str, Cost] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def is_finished(self) -> bool:
        """Whether it has figures."""
        return self.state == FINISHED


def path_of(results: Path, task: str, key: str, name: str) -> Path:
    """Where the record of a row is."""
    return results / f"{task}-{key}" / f"{name}.json"


def write(results: Path, record: RowRecord) -> None:
    """Write a record; whole or not at all."""
    write_json(path_of(results, record.task, record.key, record.row), record)


def known(results: Path, task: str, key: str, name: str) -> RowRecord | None:
    """The record of a row, if there is one."""
    path = path_of(results, task, key, name)
    return read_json(path, RowRecord) if path.exists() else None


def read(results: Path, task: str, key: str) -> dict[str, RowRecord]:
    """The records of one experiment, by row. Raises TinypruneError for a file that is none."""
    files = sorted((results / f"{task}-{key}").glob("*.json"))
    records = [read_json(path, RowRecord) for path in files]
    return {record.row: record for record in records if record.key == key}


def experiments(results: Path, task: str) -> list[str]:
    """The keys of all experiments on a task, the one with the newest row first."""
    keys = sorted(
        {path.parent.name.removeprefix(f"{task}-") for path in results.glob(f"{task}-*/*.json")}
    )
    return sorted(keys, key=lambda key: _newest(read(results, task, key)), reverse=True)


def _newest(records: dict[str, RowRecord]) -> str:
    """When the last row was made; a file's own time says nothing after a checkout."""
    return max((str(found.measured_on.get("date")) for found in records.values()), default="")
