"""The check of compiled networks: their command streams are executed and compared byte by byte."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tinyprune import pretrained
from tinyprune.artifacts.quality import Quality
from tinyprune.artifacts.resources import CompiledArtifact, NpuTarget
from tinyprune.artifacts.stream_check import RECORD, StreamCheck
from tinyprune.errors import CheckFailed
from tinyprune.metrics.scores import quality
from tinyprune.npu import vela
from tinyprune.npu.layers import operator_layers
from tinyprune.npu.stream.comparison import Lockstep
from tinyprune.npu.stream.counts import count, count_layers
from tinyprune.npu.stream.network import CompiledNetwork
from tinyprune.npu.tables import stream_places
from tinyprune.progress import track
from tinyprune.stages.compile import file_layers
from tinyprune.stages.export import device_graph
from tinyprune.stages.run import Run, open_run
from tinyprune.storage.digests import write_sealed
from tinyprune.storage.records import read_json
from tinyprune.storage.run_folder import Variant
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.engines import LITERT
from tinyprune.tflite.forward import of_runner
from tinyprune.tflite.interpreter import Int8Model
from tinyprune.tflite.reference import Reference, reference_of
from tinyprune.tflite.response import is_constant, made_inputs

DEV, NOISE = "dev", "noise"
#: Bytes that may differ, in percent, by what can be equal at best: docs/verification.md. Where not
#: all can, those of numbers that are a step apart are free.
EXACT_PERCENT, WIDE_PERCENT, LITERT_PERCENT = 0.0, 10.0, 25.0


def check_files(
    artifacts: Sequence[CompiledArtifact], inferences: int, limit_percent: float | None = None
) -> list[StreamCheck]:
    """Check compiled files on noise.

    Args:
        artifacts: what was compiled.
        inferences: how many go through each stream.
        limit_percent: bytes that may differ; None: none, but for networks that cannot be equal.

    Raises:
        TinypruneError: a stream is not understood, or no engine can run the network.
    """
    return [_check_on_noise(artifact, inferences, limit_percent) for artifact in artifacts]


def check_variants(
    run: Path | Run,
    targets: Sequence[NpuTarget],
    inferences: int,
    limit_percent: float | None = None,
) -> list[StreamCheck]:
    """Check every compiled variant of a run on its dev data.

    Arguments and errors as of :func:`check_files`. Records lie beside the compiled files.
    """
    checks = []
    with open_run(run) as opened:
        for target in targets:
            for variant in _exported(opened):
                checks.append(_check_on_dev(opened, variant, target, inferences, limit_percent))
    return checks


def _exported(run: Run) -> list[Variant]:
    """The variants whose int8 graphs are there, which are those that were compiled."""
    return [variant for variant in run.space.variants() if variant.has_files("export")]


def _check_on_noise(
    artifact: CompiledArtifact, inferences: int, limit_percent: float | None
) -> StreamCheck:
    source = artifact.source
    is_constant(source, is_foreign=True)  # raises where it crashes; below it would end this process
    reference, network, lockstep = _engines(source, artifact.path, inferences)
    runner = Int8Model(source, engine=lockstep)
    calls = 1
    if runner.is_sequence:
        calls = len(made_inputs(runner, 1)[0]) // runner.frames
    inputs = made_inputs(runner, -(-inferences // calls))
    name = pretrained.NAME if source == pretrained.denoiser() else source.stem
    for values in track(inputs, f"verifying {name}", len(inputs)):
        runner.run(values)
    target = artifact.report.target.name
    check = _record(name, target, NOISE, reference, network, lockstep, limit_percent)
    check = _with_work(check, network, artifact, file_layers(source))
    write_sealed(artifact.path.parent / RECORD, check)
    return check


def _check_on_dev(
    run: Run,
    variant: Variant,
    target: NpuTarget,
    inferences: int,
    limit_percent: float | None,
) -> StreamCheck:
    """Check a variant on dev; its metric is scored with the stream and with the reference."""
    folder = variant.folder / target.compiled_place
    artifact = read_json(folder / vela.RECORD_NAME, CompiledArtifact)
    graph = device_graph(run, variant)
    source = variant.folder / graph.path
    compiled = folder / artifact.path.name
    reference, network, lockstep = _engines(source, compiled, inferences)
    task = run.task

    def scored(runner: Int8Model, form: str) -> Quality:
        scores = task.scores(of_runner(runner), form, DEV, (task.metric,), variant.name)
        return quality(scores)

    value = scored(Int8Model(source, engine=lockstep), "stream").metrics.get(task.metric)
    expected = scored(Int8Model(source, engine=reference.engine), reference.engine.name)
    check = _record(variant.name, target.name, DEV, reference, network, lockstep, limit_percent)
    check = replace(
        check,
        metric=task.metric,
        value=value,
        reference_value=expected.metrics.get(task.metric),
    )
    check = _with_work(
        check, network, replace(artifact, source=source, path=compiled), graph.layers
    )
    write_sealed(folder / RECORD, check)
    return check


def _with_work(
    check: StreamCheck,
    network: CompiledNetwork,
    artifact: CompiledArtifact,
    layers: Sequence[str],
) -> StreamCheck:
    """Return a check with what the stream makes the NPU do.

    ``layers``: of every operator of the network that was compiled.
    """
    graph = flatbuffer.read(artifact.source)
    report = artifact.report
    return replace(
        check,
        counts=count(network.programs, report.cycles),
        layers=count_layers(
            network.programs,
            report.operators,
            operator_layers(report.operators, graph, layers),
            stream_places(artifact.path.parent),
        ),
    )


def _engines(
    source: Path, compiled: Path, inferences: int
) -> tuple[Reference, CompiledNetwork, Lockstep]:
    """Return the reference, the compiled network, and both in lockstep."""
    reference = reference_of(flatbuffer.load(source))
    network = CompiledNetwork(compiled)
    return reference, network, Lockstep(network, reference.engine, inferences)


def _record(
    name: str,
    target: str,
    source: str,
    reference: Reference,
    network: CompiledNetwork,
    lockstep: Lockstep,
    limit_percent: float | None,
) -> StreamCheck:
    has_own_limit = limit_percent is not None
    if limit_percent is None:
        limit_percent = default_limit(reference.engine.name, network.has_wide_numbers)
    return StreamCheck(
        name=name,
        target=target,
        source=source,
        inferences=lockstep.inferences,
        reference=reference.engine.name,
        reason=reference.reason,
        bytes=lockstep.bytes,
        bytes_off=lockstep.bytes_off,
        largest=lockstep.largest,
        first_off=lockstep.first_off,
        limit_percent=limit_percent,
        is_step_free=not has_own_limit and limit_percent > EXACT_PERCENT,
        bytes_beyond=lockstep.bytes_beyond,
        has_wide_numbers=network.has_wide_numbers,
    )


def default_limit(reference: str, has_wide_numbers: bool) -> float:
    """Return the bytes that may differ, in percent, where nothing is asked for."""
    if reference == LITERT:
        return LITERT_PERCENT
    return WIDE_PERCENT if has_wide_numbers else EXACT_PERCENT


def check_kept(checks: Sequence[StreamCheck]) -> None:
    """Raise CheckFailed where more bytes differ than may."""
    for check in checks:
        if not check.is_kept:
            raise CheckFailed(
                f"{check.name} on {check.target}: {check.percent_counted:.2g} % of the output "
                f"bytes of the stream differ from {check.reference}"
                f"{' by more than a step' if check.is_step_free else ''}, first in inference "
                f"{check.first_off}; {check.limit_percent:g} % may (--max-byte-error)"
            )
