"""The stages of a run. Each finds the one before it in the run folder, is done once, and leaves a record.

Heavy rooms are imported where they are used: what is finished already costs no import.
"""

import hashlib
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyprune.artifacts import (
    CompiledArtifact,
    NpuTarget,
    PruningPlan,
    Quality,
    RunSummary,
    TFLiteArtifact,
    VariantSummary,
    read_json,
    write_json,
)
from tinyprune.audio.frontend import FrontEnd
from tinyprune.config import DataConfig, PruneConfig, RunConfig, TargetConfig, check, from_mapping
from tinyprune.errors import CheckFailed, UsageError
from tinyprune.npu import targets, vela
from tinyprune.registry import DATASETS, MODELS
from tinyprune.workspace import BASELINE, Variant, Workspace

if TYPE_CHECKING:
    from tinyprune.data.speech import SpeechDataset

log = logging.getLogger(__name__)
Qualities = list[tuple[str, Quality]]
SUMMARY_SCHEMA = 1
TEST_FOLDERS = "test-folders.json"


def train(run: Path, config: RunConfig) -> None:
    """Train the float32 baseline of a run. Raises UsageError if one with another configuration is there."""
    with Workspace(run).locked() as space:
        _train(space, config)


def prune(run: Path, config: PruneConfig) -> Qualities:
    """Prune the baseline jointly with int8 learning and export it. Returns what the variant can do on dev."""
    with _opened(run).locked() as space:
        _prune(space, config)
        return [(config.variant, quality) for quality in _export(space, space.variant(config.variant))]


def show_plan(run: Path, config: PruneConfig) -> PruningPlan:
    """What :func:`prune` would do, layer by layer, without training."""
    from tinyprune.compress.planning import plan

    return plan(
        _model(_opened(run).variant(BASELINE)), config.structure, config.sparsity, config.scope, config.schedule
    )


def export(run: Path, variant: str | None) -> Qualities:
    """Export a variant (default: the baseline) as int8 TFLite. Returns what it can do on dev."""
    with _opened(run).locked() as space:
        found = space.variant(variant or BASELINE)
        return [(found.name, quality) for quality in _export(space, found)]


def compile(run: Path, target: TargetConfig, allow_cpu: bool = False) -> RunSummary:
    """Compile every variant of a run for a target and put what they cost beside what they can do.

    Raises UsageError without a baseline, CheckFailed for operators on the CPU unless they are allowed.
    """
    resolved = _resolve(target)
    with _opened(run).locked() as space:
        return _compile(space, resolved, allow_cpu)


def compile_file(path: Path, target: TargetConfig, output: Path | None, allow_cpu: bool = False) -> CompiledArtifact:
    """Compile any int8 ``.tflite`` into ``output`` (default: a folder beside it). Raises as :func:`compile` does."""
    resolved = _resolve(target)
    compiled = vela.compile_tflite(path, resolved, output or path.parent / f"{path.stem}-{resolved.name}")
    _check_cpu(path.name, compiled, allow_cpu)
    return compiled


def evaluate(
    run: Path, variants: tuple[str, ...], split: str, test_speech: str | None = None, test_noise: str | None = None
) -> Qualities:
    """What variants (default: all) can do on a split: noisy input, float, int8 streaming and sequence; per SNR."""
    from tinyprune.data.scored import ScoredSet
    from tinyprune.export import stage

    with _opened(run).locked() as space:
        chosen = [_require(space, space.variant(name)) for name in variants] or space.variants()
        given = {"test_speech": test_speech, "test_noise": test_noise}
        data = replace(_recipe(space).data, **(given if any(given.values()) else _test_folders(space)))
        check(data)
        scored = ScoredSet(_dataset(space, data).utterances(split), _frontend(space))
        found: Qualities = [("-", stage.noisy_input(scored, split))]
        for variant in chosen:
            _export(space, variant)
            qualities = stage.evaluate(_model(variant), scored, split, variant.folder)
            found += [(variant.name, quality) for quality in qualities]
        return found


def run(config: RunConfig, folder: Path) -> list[RunSummary]:
    """The whole line of a recipe: train, prune, export, compile. Returns one summary per target."""
    resolved = [_resolve(target) for target in config.target]
    with Workspace(folder).locked() as space:
        _train(space, config)
        for pruning in config.prune:
            _prune(space, pruning)
            _export(space, space.variant(pruning.variant))
        return [_compile(space, target, allow_cpu=False) for target in resolved]


def _opened(run: Path) -> Workspace:
    """A run that has a baseline; where there is none, nothing is made. Raises UsageError."""
    space = Workspace(run)
    _baseline(space)
    return space


def _train(space: Workspace, config: RunConfig) -> None:
    variant, data = space.variant(BASELINE), replace(config.data, test_speech=None, test_noise=None)
    dataset = _dataset(space, data)
    variant.claim({"data": data, "model": config.model, "train": config.train, "data_sha256": _digest(dataset)})
    if config.data != data:
        _dataset(space, config.data)  # whatever is wrong with the test folders is said now, not after the training
        write_json(
            space.root / TEST_FOLDERS, {name: getattr(config.data, name) for name in ("test_speech", "test_noise")}
        )
    if variant.is_done("train"):
        log.info("baseline: trained already, in %s", variant.folder)
        return
    from tinyprune.training.stages import train_baseline

    variant.finish("train", {}, train_baseline(MODELS[config.model.name], dataset, config.train, variant.folder))


def _prune(space: Workspace, config: PruneConfig) -> None:
    base, variant = _baseline(space), space.variant(config.variant)
    if variant.name == BASELINE:
        raise UsageError("'baseline' is the name of the float32 model: choose another --name")
    variant.claim({"prune": config, "baseline_sha256": base.output_sha256("train", "model.keras")})
    if variant.is_done("train"):
        log.info("%s: pruned already, in %s", variant.name, variant.folder)
        return
    from tinyprune.training.stages import prune_baseline

    train = _recipe(space).train
    outputs = prune_baseline(_model(base), _frontend(space), _same_dataset(space), train, config, variant.folder)
    variant.finish("train", {}, outputs)


def _export(space: Workspace, variant: Variant) -> list[Quality]:
    _require(space, variant)
    inputs = {"model": variant.output_sha256("train", "model.keras")}
    if not variant.is_done("export", inputs):
        from tinyprune.export.stage import export_variant

        outputs = export_variant(_model(variant), _frontend(space), _same_dataset(space), variant.folder)
        variant.finish("export", inputs, outputs)
    return read_json(variant.folder / "quality.json", list[Quality])


def _compile(space: Workspace, target: NpuTarget, allow_cpu: bool) -> RunSummary:
    rows = [_compile_variant(space, variant, target, allow_cpu) for variant in space.variants()]
    noisy = next(quality for quality in _export(space, space.variant(BASELINE)) if quality.form == "noisy")
    summary = RunSummary(SUMMARY_SCHEMA, target, _frontend(space).hop_seconds, noisy, tuple(rows))
    write_json(space.root / f"summary-{target.name}.json", summary)
    return summary


def _compile_variant(space: Workspace, variant: Variant, target: NpuTarget, allow_cpu: bool) -> VariantSummary:
    streaming = next(quality for quality in _export(space, variant) if quality.form == "streaming")
    tflite = read_json(variant.folder / "streaming.json", TFLiteArtifact)
    stage, record = f"compiled/{target.name}/compile", variant.folder / f"compiled/{target.name}/report.json"
    inputs = {"tflite": tflite.sha256, "target": target, "vela": vela.version()}
    if not variant.is_done(stage, inputs):
        log.info("%s: compiling for %s", variant.name, target.name)
        made = vela.compile_tflite(variant.folder / tflite.path, target, record.parent)
        write_json(record, made)
        variant.finish(stage, inputs, [path.relative_to(variant.folder).as_posix() for path in (record, made.path)])
    compiled = read_json(record, CompiledArtifact)
    _check_cpu(variant.name, compiled, allow_cpu)
    return VariantSummary(
        name=variant.name,
        parameters=read_json(variant.folder / "size.json", int),
        sparsity=sum(tensor.zeros for tensor in tflite.tensors) / sum(tensor.size for tensor in tflite.tensors),
        quality=streaming,
        tflite=tflite,
        report=compiled.report,
    )


def _check_cpu(name: str, compiled: CompiledArtifact, allow_cpu: bool) -> None:
    operators = sorted(set(compiled.report.cpu_operators))
    if operators and not allow_cpu:
        raise CheckFailed(
            f"{name}: {', '.join(operators)} would run on the CPU of {compiled.report.target.npu}: "
            "replace them in the model, or accept them with --allow-cpu"
        )


def _resolve(target: TargetConfig) -> NpuTarget:
    return targets.resolve(target.npu, target.system_config, target.memory_mode)


def _baseline(space: Workspace) -> Variant:
    return _require(space, space.variant(BASELINE))


def _require(space: Workspace, variant: Variant) -> Variant:
    """The variant, if it is trained; raises UsageError that says what there is."""
    if not variant.is_done("train"):
        known = ", ".join(found.name for found in space.variants())
        what = f"it has {known}" if known else "run `tinyprune train` first"
        raise UsageError(f"no finished variant '{variant.name}' in {space.root}: {what}")
    return variant


def _recipe(space: Workspace) -> RunConfig:
    """The configuration that the baseline of a run was trained with."""
    configuration = _baseline(space).configuration()
    return from_mapping(
        {
            name: {key: value for key, value in configuration[name].items() if value is not None}
            for name in ("data", "model", "train")
        }
    )


def _dataset(space: Workspace, config: DataConfig) -> "SpeechDataset":
    return DATASETS[config.name](config, space.data)


def _same_dataset(space: Workspace) -> "SpeechDataset":
    """The data of the baseline. Raises UsageError if they are not what it was trained on any more."""
    dataset, config = _dataset(space, _recipe(space).data), _baseline(space).configuration()
    if _digest(dataset) != config["data_sha256"]:
        raise UsageError(
            f"the audio files have changed since the baseline in {space.root} was trained: "
            "bring them back, or train in another --run"
        )
    return dataset


def _digest(dataset: "SpeechDataset") -> str:
    return hashlib.sha256(dataset.fingerprint().encode()).hexdigest()


def _test_folders(space: Workspace) -> dict[str, str]:
    """The folders that the run was given last; no training depends on them, so they are no part of what it claims."""
    path = space.root / TEST_FOLDERS
    return read_json(path, dict[str, str]) if path.exists() else {}


def _frontend(space: Workspace) -> FrontEnd:
    return read_json(_baseline(space).folder / "frontend.json", FrontEnd)


def _model(variant: Variant) -> Any:
    import keras

    return keras.models.load_model(variant.folder / "model.keras")
