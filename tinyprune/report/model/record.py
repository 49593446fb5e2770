"""The report of a run as one record: every variant, its cost on every target, the files of it."""

from dataclasses import dataclass, field
from typing import Any

from tinyprune.artifacts.budget import BudgetRecord
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.quality import Quality, TaskRecord
from tinyprune.artifacts.stream_check import StreamCheck
from tinyprune.artifacts.summary import RunSummary
from tinyprune.artifacts.sweep import SweepAnswer
from tinyprune.config.budget import Budget

SCHEMA = 2


@dataclass(frozen=True)
class ManifestEntry:
    """One file of a run.

    Attributes:
        path: relative to the run folder.
        sha256: of its content when it was made. file_bytes: its size.
        stage: which stage made it, e.g. "weight-0.80/train".
        command: the command line that made it. made: when, ISO 8601 in UTC. tinyprune: by which
            version.
        state: "unchanged", "changed" or "missing", when the report was made.
    """

    path: str
    sha256: str
    file_bytes: int
    stage: str
    command: str = ""
    made: str = ""
    tinyprune: str = ""
    state: str = "unchanged"


@dataclass(frozen=True)
class VariantRecord:
    """One variant of a run, finished or not.

    Attributes:
        name: of the variant.
        state: the last stage that is finished: "" (training was stopped), "train", "export".
        configuration: what it was claimed as (variant.json).
        parameters: weights and biases of the Keras model; None before training is finished.
        sparsity: fraction of zeros over all weights in the flatbuffer, measured there; None before
            the export.
        qualities: on dev: the unprocessed input ("noisy"), "float", and every int8 graph.
        history: training curve, one row per epoch: column -> value, None where there is none.
        tflite: the graph that the device runs.
        budget: how it came to keep the budget that it was pruned to; None where there was none.
        refused: the reason why its training was refused; empty where it was not.
    """

    name: str
    state: str
    configuration: dict[str, Any]
    parameters: int | None = None
    sparsity: float | None = None
    qualities: tuple[Quality, ...] = ()
    history: tuple[dict[str, float | None], ...] = ()
    tflite: TFLiteArtifact | None = None
    budget: BudgetRecord | None = None
    refused: str = ""


@dataclass(frozen=True)
class RunReport:
    """Everything that is known of a run.

    Attributes:
        schema: version of this record.
        run: name of the run folder.
        made: when the report was made, ISO 8601 in UTC.
        versions: program -> version that made the report.
        task: what the networks are for; None before the first training.
        variants: baseline first, then in order of creation.
        summaries: one per target that variants were compiled for; the first is the one that was
            made last.
        manifest: every file that a finished stage made.
        notes: what is missing, and the command that makes it.
        advice: variant -> what would help it on the first target, what matters most first.
        sweep: fronts and the variant to ship; None where there was no sweep.
        streams: what `compile --verify` found, of the targets of the summaries.
        limits: what `tinyprune run` held the variants to, by its recipe or its options.
    """

    schema: int
    run: str
    made: str
    versions: dict[str, str]
    task: TaskRecord | None
    variants: tuple[VariantRecord, ...]
    summaries: tuple[RunSummary, ...]
    manifest: tuple[ManifestEntry, ...] = ()
    notes: tuple[str, ...] = field(default=())
    advice: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sweep: SweepAnswer | None = None
    streams: tuple[StreamCheck, ...] = ()
    limits: Budget = Budget()

    @property
    def changed(self) -> frozenset[str]:
        """Names of the variants of which a file is not as it was made."""
        entries = [entry for entry in self.manifest if entry.state == "changed"]
        return frozenset(entry.stage.partition("/")[0] for entry in entries)
