"""C sources for a device: of a variant of a run, or of a single file."""

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tinyprune import pretrained
from tinyprune.artifacts.firmware import FirmwareRecord
from tinyprune.artifacts.quality import TaskRecord
from tinyprune.artifacts.resources import CompiledArtifact, NpuTarget, ResourceReport
from tinyprune.config.budget import Budget
from tinyprune.errors import CheckFailed, TinypruneError, UsageError
from tinyprune.firmware.device_build import measure
from tinyprune.firmware.device_model import (
    DeviceModel,
    c_identifier,
    device_model,
    exchange_ends,
    exchange_model,
)
from tinyprune.firmware.folder import check_free, keep_record, write_folder
from tinyprune.firmware.front_ends import FirmwareFrontEnd, front_end_of, read_front_end
from tinyprune.firmware.fvp import UNTRIED, check_fvp, run_fvp
from tinyprune.firmware.golden import Recorder
from tinyprune.firmware.sources import DRIVER, TFLM, FirmwareFacts, render
from tinyprune.firmware.tflm import resolver_methods
from tinyprune.npu import vela
from tinyprune.npu.lowering import compile_lowered
from tinyprune.npu.stream.network import CompiledNetwork
from tinyprune.stages.export import device_graph
from tinyprune.stages.run import Run, open_run
from tinyprune.storage.digests import read_sealed_as, sha256
from tinyprune.storage.records import read_json
from tinyprune.storage.run_folder import BASELINE, Variant
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.graph import NPU_OPERATOR
from tinyprune.tflite.tflm_arena import arena_bytes
from tinyprune.units import format_bytes
from tinyprune.version import __version__

_NOT_MEASURED = "TFLM is not linked here, so code and stack are not measured"
IMAGE = Path("build") / "fvp.elf"
FLOAT, FIXED = ARITHMETICS = ("float", "fixed")
_FRONT_END, _TASK = "frontend.json", "task.json"


@dataclass(frozen=True)
class FirmwareOptions:
    """The settings of a generation.

    Attributes:
        target: accelerator, system, memory mode.
        folder: the folder that the sources are written to.
        frontend: record of the front end; None: the one beside the network.
        name: what functions and files begin with; None: after the network.
        runtime: "driver", or "tflm" for TensorFlow Lite Micro.
        is_fixed: whether the front end computes in fixed point.
        has_raw_features: whether the caller computes features, so that there is no front end.
        is_forced: whether a folder with something else is written to.
        fvp: program of Arm's model that the sources will run on, or None.
    """

    target: NpuTarget
    folder: Path
    frontend: Path | None = None
    name: str | None = None
    runtime: str = DRIVER
    is_fixed: bool = False
    has_raw_features: bool = False
    is_forced: bool = False
    fvp: Path | None = None


@dataclass(frozen=True)
class Firmware:
    """Generated sources.

    Attributes:
        folder: where they are. record: what they are.
        report: what the network costs, as Vela estimates it.
        notes: what one should know of them.
    """

    folder: Path
    record: FirmwareRecord
    report: ResourceReport
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Network:
    """A network before it is compiled, and what lies around it.

    Attributes:
        source: the ``.tflite``.
        name: of the variant or of the file.
        records: where the record of its front end may be; the first that is there counts.
        classes: names of what it tells apart.
        compiled: what Vela made of it already, or None.
    """

    source: Path
    name: str
    records: tuple[Path, ...]
    classes: tuple[str, ...] = field(default=())
    compiled: CompiledArtifact | None = None


def firmware_of_run(run: Path | Run, variant: str | None, options: FirmwareOptions) -> Firmware:
    """Generate the sources of a variant of a run; None: the one that was trained last.

    Raises UsageError where there is no such variant, and what :func:`firmware_of_file` raises.
    """
    _check_place(options)
    with open_run(run) as opened:
        chosen = opened.require(variant) if variant else _newest(opened)
        graph = device_graph(opened, chosen)
        form = graph.path.stem
        baseline = opened.baseline.folder
        network = _Network(
            source=chosen.folder / graph.path,
            name=chosen.name,
            records=(
                chosen.folder / f"{form}.{_FRONT_END}",
                baseline / f"{form}.{_FRONT_END}",
                baseline / _FRONT_END,
            ),
            classes=opened.record.classes,
        )
        return _generate(network, options)


def firmware_of_file(path: Path, options: FirmwareOptions) -> Firmware:
    """Generate the sources of an int8 ``.tflite``, or of what Vela made of one.

    "pretrained" is the network that comes with tinyprune.

    Raises:
        UsageError: the network leaves operators to the CPU, the folder is taken, the record of the
            front end is missing or of another network, or the file was compiled by another Vela.
        TinypruneError: Vela fails, or the stream is not understood.
    """
    _check_place(options)
    if path == Path(pretrained.NAME):
        path = pretrained.denoiser()
    compiled = _compiled(path, options.target)
    source = compiled.source if compiled is not None else path
    baseline = source.absolute().parents[1] / BASELINE
    network = _Network(
        source=source,
        name=source.stem,
        records=(
            source.with_name(f"{source.stem}.{_FRONT_END}"),
            baseline / f"{source.stem}.{_FRONT_END}",
            source.with_name(_FRONT_END),
            baseline / _FRONT_END,
        ),
        classes=_classes([source.with_name(_TASK), baseline / _TASK]),
        compiled=compiled,
    )
    return _generate(network, options)


def measured(made: Firmware) -> Firmware:
    """Return sources with what all of them takes on a Cortex-M55, as far as tools are installed.

    Raises CheckFailed where they fail their test in QEMU.
    """
    if made.record.runtime == TFLM:
        return replace(made, notes=(*made.notes, _NOT_MEASURED))
    found = measure(made.folder, made.record)
    notes = made.notes
    if found.reason:
        notes += (found.reason,)
    record = made.record
    if found.sizes is not None:
        record = keep_record(made.folder, replace(record, sizes=found.sizes))
    return replace(made, record=record, notes=notes)


def on_fvp(made: Firmware, fvp: Path, image: Path | None = None) -> Firmware:
    """Return sources with what their golden vectors gave on Arm's model of a device.

    Args:
        made: generated for Arm's driver.
        fvp: program of the model.
        image: that it runs; None: the one that ``make fvp`` builds in the folder.

    Raises TinypruneError where there is no image of these sources or it printed no counters.
    """
    counts = run_fvp(fvp, image or made.folder / IMAGE, made.record)
    record = keep_record(made.folder, replace(made.record, fvp=counts))
    return replace(made, record=record, notes=(*made.notes, UNTRIED))


def check_fvp_right(made: Firmware) -> None:
    """Raise CheckFailed where the NPU of the model computed something else than the simulator."""
    counts = made.record.fvp
    if counts is not None and not counts.is_right:
        raise CheckFailed(
            f"{made.record.name} on the FVP: {counts.off:,} of {counts.numbers:,} numbers are not "
            "those of the simulated stream, or too far from them"
        )


def check_limits(made: Firmware, limits: Budget, is_whole: bool) -> None:
    """Hold sources to limits of flash and SRAM.

    ``is_whole``: whether all of them counts; else the network alone, as ``tinyprune compile``
    counts it. Raises CheckFailed above a limit, TinypruneError where the whole is not known.
    """
    costs = {"flash": made.report.flash_bytes, "SRAM": made.report.sram_bytes}
    if is_whole:
        sizes = made.record.sizes
        if sizes is None:
            raise TinypruneError(f"--whole: nothing was measured: {made.notes[-1]}")
        costs = {"flash": float(sizes.flash), "SRAM": float(sizes.ram)}
    for what, limit in (("flash", limits.flash_bytes), ("SRAM", limits.sram_bytes)):
        if limit is not None and costs[what] > limit:
            whole = "everything" if is_whole else "the network"
            raise CheckFailed(
                f"{made.record.name} on {made.record.target.name}: {what} of {whole} "
                f"{format_bytes(costs[what])}, over the limit of {format_bytes(limit)}"
            )


def _check_place(options: FirmwareOptions) -> None:
    if options.fvp is not None:
        check_fvp(options.fvp, options.target)
    if not options.is_forced:
        check_free(options.folder)


def _newest(run: Run) -> Variant:
    """Return the variant that was trained last."""
    return max(run.space.variants(), key=_trained_at)


def _trained_at(variant: Variant) -> int:
    return (variant.folder / "train.json").stat().st_mtime_ns


def _classes(records: list[Path]) -> tuple[str, ...]:
    """Return the names of classes of the first record of a task that is there."""
    for path in records:
        if path.is_file():
            try:
                return read_json(path, TaskRecord).classes
            except TinypruneError:
                return ()
    return ()


def _compiled(path: Path, target: NpuTarget) -> CompiledArtifact | None:
    """Return the record of a file that Vela made; None for one that Vela can compile.

    Raises UsageError for one of another Vela, for another target, or without its network.
    """
    graph = flatbuffer.read(path)
    if all(operator.name != NPU_OPERATOR for operator in graph.operators):
        return None
    advice = "give the .tflite that it was compiled from"
    place = path.with_name(vela.RECORD_NAME)
    if not place.is_file():
        raise UsageError(f"{path} was compiled, and {place.name} beside it is missing: {advice}")
    artifact = read_sealed_as(place, CompiledArtifact, advice)
    made_by = artifact.report.vela_version
    if made_by != vela.version():
        raise UsageError(
            f"{path} was compiled by Vela {made_by}, here is Vela {vela.version()}, "
            f"whose streams are known: {advice}"
        )
    if artifact.report.target != target:
        raise UsageError(
            f"{path} was compiled for {artifact.report.target.description}, "
            f"not for {target.description}: give that as --npu and --memory-mode, or {advice}"
        )
    if sha256(path) != artifact.sha256:
        raise UsageError(f"{path} is not what {place} says: {advice}")
    source = artifact.source
    if not source.is_file() or sha256(source) != artifact.source_sha256:
        raise UsageError(f"{path} was compiled from {source}, which is not there as it was")
    return replace(artifact, path=path)


def _generate(network: _Network, options: FirmwareOptions) -> Firmware:
    front_end = _front_end_record(network, options)
    if network.compiled is not None:
        return _written(network, network.compiled, front_end, options)
    with tempfile.TemporaryDirectory(prefix="tinyprune-") as scratch:
        compiled = compile_lowered(
            flatbuffer.read_file(network.source), options.target, Path(scratch)
        )
        return _written(network, compiled, front_end, options)


def _written(
    network: _Network, compiled: CompiledArtifact, recorded: Any, options: FirmwareOptions
) -> Firmware:
    """Generate the sources of a compiled network, with the recorded front end, and write them."""
    stream = CompiledNetwork(compiled.path)
    facts = FirmwareFacts(
        name=c_identifier(options.name or network.name),
        tinyprune_version=__version__,
        vela_version=compiled.report.vela_version,
        target=options.target,
        source_name=network.source.name,
        source_sha256=compiled.source_sha256,
        compiled_sha256=compiled.sha256,
    )
    recorder = Recorder(stream, stream.inputs, stream.outputs)
    if options.runtime == TFLM:
        content = compiled.path.read_bytes()
        recorder = Recorder(stream, *exchange_ends(stream))
        model = exchange_model(network.source, stream, content)
        facts = replace(
            facts,
            runtime=TFLM,
            operators=resolver_methods(stream.file.steps),
            tensor_arena_bytes=arena_bytes(content),
        )
    else:
        model = device_model(network.source, stream)
    front_end = front_end_of(recorded, model, network.classes, options.is_fixed)
    golden = front_end.golden(network.source, recorder)
    files = render(facts, model, front_end, golden)
    planned = _record(facts, model, front_end)
    notes: tuple[str, ...] = ()
    if recorded is None and not options.has_raw_features:
        notes = (
            f"no front end beside {network.source.name}: the sources take features as the network "
            "does; --frontend FILE.json names one",
        )
    written = write_folder(options.folder, files, planned)
    return Firmware(options.folder, written, compiled.report, notes)


def _front_end_record(network: _Network, options: FirmwareOptions) -> Any:
    """Return the record of the front end, or None where there is none."""
    if options.has_raw_features:
        return None
    places = network.records
    if options.frontend is not None:
        places = (options.frontend,)
    for path in places:
        if path.is_file():
            return read_front_end(path)
    if options.frontend is not None:
        raise UsageError(f"there is no file {options.frontend}: expected a record of a front end")
    return None


def _record(
    facts: FirmwareFacts, model: DeviceModel, front_end: FirmwareFrontEnd
) -> FirmwareRecord:
    return FirmwareRecord(
        name=facts.name,
        kind=front_end.template,
        runtime=facts.runtime,
        arithmetic=FIXED if front_end.is_fixed else FLOAT,
        tinyprune_version=facts.tinyprune_version,
        vela_version=facts.vela_version,
        target=facts.target,
        source=facts.source_name,
        source_sha256=facts.source_sha256,
        compiled_sha256=facts.compiled_sha256,
        command_bytes=len(model.commands),
        constant_bytes=len(model.constants),
        table_bytes=front_end.tables().bytes,
        arena_bytes=model.arena_size,
        fast_bytes=model.fast_size,
        tensor_arena_bytes=facts.tensor_arena_bytes,
        operators=facts.operators,
    )
