"""The report of a run, finished or not, as one record; nothing is trained or compiled for it."""

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tinyprune.artifacts import stream_check
from tinyprune.artifacts.budget import BudgetRecord
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.quality import Quality, TaskRecord
from tinyprune.artifacts.stream_check import StreamCheck
from tinyprune.artifacts.summary import RunSummary
from tinyprune.artifacts.sweep import ANSWER, FOLDER, SweepAnswer
from tinyprune.config.budget import Budget
from tinyprune.errors import without_name
from tinyprune.npu.limits import RECORD
from tinyprune.report.model.advice import advice
from tinyprune.report.model.budget_gate import LIMITS_OF_RUN
from tinyprune.report.model.loading import load_summaries
from tinyprune.report.model.record import SCHEMA, ManifestEntry, RunReport, VariantRecord
from tinyprune.storage.digests import CHANGED, change, read_sealed_as, state_of
from tinyprune.storage.environment import versions
from tinyprune.storage.records import read_json
from tinyprune.storage.run_folder import BASELINE, Variant, Workspace


def collect_report(space: Workspace) -> RunReport:
    """Return the report of a run folder. Raises UsageError if it is none."""
    begun = space.begun()
    if not begun:
        raise space.no_run()
    variants = tuple(map(_variant_record, begun))
    summaries = _summaries(space)
    manifest: list[ManifestEntry] = []
    for variant in begun:
        manifest += _manifest(space, variant)
    return RunReport(
        schema=SCHEMA,
        run=space.root.resolve().name,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        task=_task(space),
        variants=variants,
        summaries=summaries,
        manifest=tuple(manifest),
        notes=(*_changes(manifest), *_notes(variants, summaries)),
        advice=_advice(summaries),
        sweep=_sweep(space),
        streams=tuple(_streams(begun, summaries)),
        limits=_limits(space),
    )


def _variant_record(variant: Variant) -> VariantRecord:
    record = VariantRecord(
        name=variant.name,
        state="",
        configuration=variant.configuration(),
        history=tuple(_history(variant.folder / "history.csv")),
        refused=variant.refusal(),
    )
    if variant.has_files("train"):
        record = replace(
            record,
            state="train",
            parameters=read_json(variant.folder / "size.json", int),
            budget=_budget(variant),
        )
    tflite = _tflite(variant)
    if tflite:
        record = replace(
            record,
            state="export",
            sparsity=tflite.sparsity,
            qualities=tuple(read_json(variant.folder / "quality.json", list[Quality])),
            tflite=tflite,
        )
    return record


def _budget(variant: Variant) -> BudgetRecord | None:
    path = variant.folder / RECORD
    if not path.exists():
        return None
    return read_sealed_as(path, BudgetRecord, f"put it back, or delete {variant.folder}")


def _tflite(variant: Variant) -> TFLiteArtifact | None:
    """The graph that the device runs: the first form of the task that was exported."""
    if not variant.has_files("export"):
        return None
    task = variant.folder.parent / BASELINE / "task.json"
    for form in read_json(task, TaskRecord).forms:
        path = variant.folder / f"{form}.json"
        if path.exists():
            return read_json(path, TFLiteArtifact)
    return None


def _history(path: Path) -> Iterator[dict[str, float | None]]:
    """The rows of a training curve; a cell that is empty or not finite is None."""
    if not path.exists():
        return
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield {column: _finite(value) for column, value in row.items() if column}


def _finite(text: str | None) -> float | None:
    try:
        value = float(str(text))
    except ValueError:
        return None
    if math.isfinite(value):
        return value
    return None


def _summaries(space: Workspace) -> tuple[RunSummary, ...]:
    """The summaries of all targets, the newest first."""
    paths = list(space.root.glob("summary-*.json"))
    paths.sort(key=lambda path: -path.stat().st_mtime_ns)
    summaries: list[RunSummary] = []
    for path in paths:
        summaries += load_summaries(path)
    return tuple(summaries)


def _streams(variants: Sequence[Variant], summaries: Sequence[RunSummary]) -> Iterator[StreamCheck]:
    """The checks of compiled streams, target by target."""
    for summary in summaries:
        target = summary.target
        for variant in variants:
            path = variant.folder / target.compiled_place / stream_check.RECORD
            if path.exists():
                advice = f"make it again: `tinyprune compile --npu {target.npu} --verify`"
                yield read_sealed_as(path, StreamCheck, advice)


def _manifest(space: Workspace, variant: Variant) -> Iterator[ManifestEntry]:
    for record in variant.stages():
        for name, digest in record["outputs"].items():
            path = variant.folder / name
            yield ManifestEntry(
                path=path.relative_to(space.root).as_posix(),
                sha256=digest,
                file_bytes=path.stat().st_size if path.exists() else 0,
                stage=f"{variant.name}/{record['stage']}",
                command=record.get("command", ""),
                made=record.get("made", ""),
                tinyprune=record.get("tinyprune", ""),
                state=state_of(path, digest, record.get("stamps", {}).get(name, "")),
            )


def _changes(manifest: Sequence[ManifestEntry]) -> Iterator[str]:
    """Say of every file that is not as it was made what to do."""
    for entry in manifest:
        if entry.state == CHANGED:
            yield change(entry.path, entry.command)


def _notes(variants: Sequence[VariantRecord], summaries: Sequence[RunSummary]) -> Iterator[str]:
    """Say what is missing or out of date, with the command that makes it."""
    trained = []
    for variant in variants:
        if variant.refused:
            reason = without_name(variant.name, variant.refused)
            yield f"{variant.name} was refused: {reason}"
            continue
        if variant.state:
            trained.append(variant)
            continue
        command = "prune"
        if variant.name == BASELINE:
            command = "train"
        yield (
            f"{variant.name}: its training is not finished; "
            f"the same `tinyprune {command}` goes on with it"
        )
    if trained and not summaries:
        yield "nothing is compiled yet: run `tinyprune compile`"
    for summary in summaries:
        stale = _stale(trained, summary)
        if stale:
            target = summary.target
            command = f"tinyprune compile --npu {target.npu} --memory-mode {target.memory_mode}"
            yield f"{target.name} does not have {', '.join(stale)} as now: run `{command}`"


def _stale(variants: Sequence[VariantRecord], summary: RunSummary) -> list[str]:
    """Names of the variants that were not compiled as they are now."""
    compiled = {variant.name: variant.tflite.sha256 for variant in summary.variants}
    stale = []
    for variant in variants:
        exported = variant.tflite.sha256 if variant.tflite else None
        if compiled.get(variant.name) != exported:
            stale.append(variant.name)
    return stale


def _advice(summaries: Sequence[RunSummary]) -> dict[str, tuple[str, ...]]:
    """The advice for the first target, of the variants that have some."""
    if not summaries:
        return {}
    lines_of_variants = {}
    for name, lines in advice(summaries[0]).items():
        if lines:
            lines_of_variants[name] = lines
    return lines_of_variants


def _sweep(space: Workspace) -> SweepAnswer | None:
    """The answer of the sweep of a run, if there was one that came to its end."""
    path = space.root / FOLDER / ANSWER
    if not path.exists():
        return None
    return read_sealed_as(path, SweepAnswer, "the same `tinyprune sweep` makes it again")


def _limits(space: Workspace) -> Budget:
    """The limits that the run was held to; none where it was not made by a recipe."""
    path = space.root / LIMITS_OF_RUN
    if path.exists():
        return read_json(path, Budget)
    return Budget()


def _task(space: Workspace) -> TaskRecord | None:
    path = space.variant(BASELINE).folder / "task.json"
    if path.exists():
        return read_json(path, TaskRecord)
    return None
