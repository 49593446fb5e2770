"""Compilations with Vela: the variants of a run, or a single file."""

from collections.abc import Sequence
from pathlib import Path

from tinyprune import pretrained
from tinyprune.artifacts import stream_check
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.quality import Quality
from tinyprune.artifacts.resources import CompiledArtifact, NpuTarget
from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.npu import vela
from tinyprune.npu.batch import Compilation, compile_batch
from tinyprune.report.model.record import SCHEMA
from tinyprune.stages.export import (
    device_graph,
    device_quality,
    ensure_exported,
    exportable,
)
from tinyprune.stages.run import Run, run_to_compile
from tinyprune.storage.digests import write_sealed
from tinyprune.storage.records import read_json
from tinyprune.storage.run_folder import Variant
from tinyprune.tasks.task import NOISY_FORM


def compile_variants(run: Path | Run, targets: Sequence[NpuTarget]) -> list[RunSummary]:
    """Compile every variant of a run for every target.

    Where another process trains in the run, its finished variants are compiled. Prunings whose int8
    graph is refused are left out, with a line. Returns one summary
    per target, with what each variant costs beside its quality on dev. Raises UsageError without a
    baseline, CheckFailed where the graph of the baseline is refused.
    """
    with run_to_compile(run) as (opened, found):
        variants = exportable(opened, found)
        jobs = []
        for target in targets:
            jobs += [compilation_job(opened, variant, target) for variant in variants]
        compiled = iter(compile_batch(jobs))

        summaries = []
        for target in targets:
            rows = [_row(opened, variant, target, next(compiled)) for variant in variants]
            summaries.append(_summary(opened, target, rows))

        # The first target is what a report shows first: the one that was made last.
        for summary in reversed(summaries):
            name = f"summary-{summary.target.name}.json"
            write_sealed(opened.space.root / name, summary)
        return summaries


def compile_variant(run: Run, variant: Variant, target: NpuTarget) -> VariantSummary:
    """Compile one variant of an opened run, and return what it costs beside its quality on dev."""
    [compiled] = compile_batch([compilation_job(run, variant, target)])
    return _row(run, variant, target, compiled)


def compile_file(
    path: Path, targets: Sequence[NpuTarget], output: Path | None
) -> list[CompiledArtifact]:
    """Compile any int8 ``.tflite``.

    Args:
        path: the file; "pretrained" is the network that comes with tinyprune.
        targets: accelerators.
        output: the folder for one target; for several, each has a folder in it. Default: a folder
            per target beside the file, of "pretrained" in ``runs/pretrained``.

    Raises:
        UsageError: the file is no int8 network.
    """
    folders = [path.parent / f"{path.stem}-{target.name}" for target in targets]
    if path == Path(pretrained.NAME):
        path = pretrained.denoiser()
        folders = [pretrained.COMPILED / target.name for target in targets]
    if output is not None and len(targets) == 1:
        folders = [output]
    elif output is not None:
        folders = [output / target.name for target in targets]

    layers = file_layers(path)
    pairs = zip(targets, folders, strict=True)
    return compile_batch([Compilation(path, target, folder, layers) for target, folder in pairs])


def file_layers(path: Path) -> tuple[str, ...]:
    """Return the layer of every operator of a file; empty where nobody knows them."""
    if path == pretrained.denoiser():
        return read_json(pretrained.record(), TFLiteArtifact).layers
    return ()


def compilation_job(run: Run, variant: Variant, target: NpuTarget) -> Compilation:
    """Return the compilation of the graph of a variant that the device runs, exported if needed.

    What is there already is made again where a file of it has changed.
    """
    graph = device_graph(run, variant)
    folder = variant.folder / target.compiled_place
    if variant.has_files(_stage(target)) and not variant.is_intact(_stage(target)):
        (folder / vela.RECORD_NAME).unlink(missing_ok=True)
    return Compilation(variant.folder / graph.path, target, folder, graph.layers)


def _stage(target: NpuTarget) -> str:
    """Return the name of the compilation for a target as a stage."""
    return f"{target.compiled_place}/compile"


def _row(
    run: Run, variant: Variant, target: NpuTarget, compiled: CompiledArtifact
) -> VariantSummary:
    """Return the row of a variant in the summary of a target; its compilation is recorded."""
    graph = device_graph(run, variant)
    _finish(variant, graph, target, compiled)
    return VariantSummary(
        name=variant.name,
        parameters=read_json(variant.verified("train", "size.json"), int),
        sparsity=graph.sparsity,
        quality=device_quality(run, variant),
        tflite=graph,
        report=compiled.report,
    )


def _finish(
    variant: Variant, graph: TFLiteArtifact, target: NpuTarget, compiled: CompiledArtifact
) -> None:
    """Record that a compilation is finished, if it is not recorded."""
    inputs = {"tflite": graph.sha256, "target": target, "vela": compiled.report.vela_version}
    if variant.is_intact(_stage(target), inputs):
        return
    place = target.compiled_place
    (variant.folder / place / stream_check.RECORD).unlink(missing_ok=True)  # of what was there
    files = []
    for path in sorted((variant.folder / place).iterdir()):
        if path.is_file() and path.name != "compile.json":
            files.append(f"{place}/{path.name}")
    variant.finish(_stage(target), inputs, files)


def _summary(run: Run, target: NpuTarget, rows: Sequence[VariantSummary]) -> RunSummary:
    return RunSummary(
        schema=SCHEMA,
        target=target,
        hop_seconds=run.record.hop_seconds,
        noisy=_unprocessed(ensure_exported(run, run.baseline)),
        variants=tuple(rows),
    )


def _unprocessed(qualities: Sequence[Quality]) -> Quality | None:
    """Return the quality of the unprocessed input, where an input has one."""
    forms = {quality.form: quality for quality in qualities}
    return forms.get(NOISY_FORM)
