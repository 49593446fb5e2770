"""What a command calls: each function opens a run folder and calls its stage (run.py), or a room for a single file."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tinyprune import pretrained
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.plan import PruningPlan
from tinyprune.artifacts.resources import CompiledArtifact, NpuTarget
from tinyprune.artifacts.summary import RunSummary
from tinyprune.config import MODEL_FILES, PruneConfig, RunConfig
from tinyprune.config.pruning import offline
from tinyprune.data.speech.evaluation_data import load_given
from tinyprune.errors import UsageError
from tinyprune.metrics import selection
from tinyprune.metrics.scores import Scored
from tinyprune.models.own import EXPECTED, is_own
from tinyprune.npu import targets
from tinyprune.npu.batch import Job, compile_many
from tinyprune.registry import MODELS
from tinyprune.report.model.collection import collect
from tinyprune.report.model.record import RunReport
from tinyprune.sparsity.structure import parse
from tinyprune.stages.model_reference import Asked, Wanted
from tinyprune.stages.model_reference import parse as parse_model
from tinyprune.stages.run import Qualities, Run
from tinyprune.storage.records import read_json
from tinyprune.storage.run_folder import BASELINE, Workspace
from tinyprune.tflite import flatbuffer

if TYPE_CHECKING:
    from tinyprune.compress.offline import OfflineResult


def train(run: Path, config: RunConfig) -> None:
    """Train the float32 baseline of a run. Raises UsageError if one with another configuration is there."""
    _check_model(config)
    with Workspace(run).locked() as space:
        Run(space).train(config)


def prune(run: Path, configs: Sequence[PruneConfig]) -> Qualities:
    """Prune jointly with int8 learning and export, one after the other. Returns what each variant can do on dev."""
    _check_trained(configs)
    with _opened(run) as opened:
        variants = [opened.prune(config) for config in configs]
        return [
            (variant.name, quality) for variant in variants for quality in opened.export(variant)
        ]


def prune_offline(
    run: Path, path: Path, config: PruneConfig, output: Path | None
) -> "Qualities | OfflineResult":
    """Prune a finished int8 ``.tflite`` without training.

    A graph of a run becomes a variant of that run, and what it can do on dev is returned; any other
    file is written to ``output`` (default: beside it), and its zeros are returned.
    """
    from tinyprune.compress.offline import default_output, prune_file

    _check_structures([config])
    source = _variant_of(run, path)
    if source is None or output is not None:
        structure = parse(config.structure, config.block_size)
        place = output or default_output(path, structure, config.final_sparsity, config.clusters)
        how = structure, config.final_sparsity, config.scope, config.importance
        return prune_file(path, *how, place, config.clusters)
    with _opened(run) as opened:
        variant = opened.prune_offline(opened.require(source), offline(config, source))
        return [(variant.name, quality) for quality in opened.export(variant)]


def show_plan(run: Path, config: PruneConfig) -> PruningPlan:
    """What :func:`prune` would do, layer by layer, without training."""
    _check_trained([config])
    space = Workspace(run)
    return Run(space).plan(config)


def export(run: Path, variant: str | None) -> Qualities:
    """Export a variant (default: the baseline) as int8 TFLite. Returns what it can do on dev."""
    with _opened(run) as opened:
        found = opened.require(variant or BASELINE)
        return [(found.name, quality) for quality in opened.export(found)]


def compile(run: Path, chosen: Sequence[NpuTarget]) -> list[RunSummary]:
    """Compile every variant of a run for every target and put what they cost beside what they can do.

    Returns one summary per target. Raises UsageError without a baseline.
    """
    with _opened(run) as opened:
        return opened.compile(chosen)


def compile_file(
    path: Path, chosen: Sequence[NpuTarget], output: Path | None
) -> list[CompiledArtifact]:
    """Compile any int8 ``.tflite``, by default into a folder per target beside it.

    "pretrained" is the network that comes with tinyprune; its folders are in ``runs/pretrained``.
    ``output`` is the folder for one target; for several, each has a folder in it.
    """
    layers: tuple[str, ...] = ()
    folders = [path.parent / f"{path.stem}-{target.name}" for target in chosen]
    if path == Path(pretrained.NAME):
        path, layers = pretrained.denoiser(), read_json(pretrained.record(), TFLiteArtifact).layers
        folders = [pretrained.COMPILED / target.name for target in chosen]
    flatbuffer.require_int8(
        path, flatbuffer.read(path)
    )  # what is wrong with the file is said once, not per target
    if output is not None:
        folders = [output / target.name if len(chosen) > 1 else output for target in chosen]
    return compile_many(
        [Job(path, target, folder, layers) for target, folder in zip(chosen, folders, strict=True)]
    )


def report(run: Path) -> RunReport:
    """What is known of a run, finished or not. Raises UsageError where there is none."""
    return collect(Workspace(run))


def evaluate(run: Path, models: Sequence[str] = (), asked: Asked | None = None) -> Scored:
    """The metrics of models on every item of a split, and of the input as it is.

    Args:
        run: the run whose variants and data are scored; not touched if all models are files and the
            data are pairs.
        models: variants, with a form or without (``weight-0.80:float``), and files; none: all
            variants.
        asked: split, metrics, data; default: the default metrics on the run's dev split.
    """
    asked, wanted = asked or Asked(), [parse_model(text) for text in models]
    asked.data.check()
    if wanted and all(model.path for model in wanted) and asked.data.is_whole:
        return _evaluate_files(wanted, asked)
    try:
        with _opened(run) as opened:
            return opened.evaluate(wanted, asked)
    except UsageError as error:
        if wanted and all(model.path for model in wanted) and not Workspace(run).variants():
            raise UsageError(
                f"{error}; or give what to score the files on: --noisy DIR --clean DIR"
            ) from error
        raise


def _evaluate_files(wanted: Sequence[Wanted], asked: Asked) -> Scored:
    """Speech models in files on recordings of their own: without a run, decoded audio is kept only for as long."""
    from tinyprune.stages import evaluation

    asked.check_gate(wanted)
    metrics = selection.chosen(asked.metrics, "speech", asked.held)
    with tempfile.TemporaryDirectory(prefix="tinyprune-") as cache:
        tasks = evaluation.Tasks(load_given(asked.data, Path(cache)), given=asked.frontend)
        models = [evaluation.of_file(model, tasks) for model in wanted]
        return evaluation.evaluate(models, asked.split, metrics)


def run(config: RunConfig, folder: Path) -> list[RunSummary]:
    """The whole line of a recipe: train, prune, export, compile. Returns one summary per target."""
    resolved = list(dict.fromkeys(targets.configured(target) for target in config.target))
    _check_model(config)
    _check_trained(config.prune)
    with Workspace(folder).locked() as space:
        opened = Run(space)
        opened.train(config)
        for pruning in config.prune:
            opened.prune(pruning)
        return opened.compile(resolved)


@contextmanager
def _opened(run: Path) -> Iterator[Run]:
    """A run that has a baseline; where there is none, nothing is made. Raises UsageError."""
    opened = Run(Workspace(run))
    opened.require(BASELINE)
    with opened.space.locked():
        yield opened


def _check_model(config: RunConfig) -> None:
    """Raise UsageError, before anything is loaded, for a model that does not exist or would keep random weights."""
    name = config.model.name
    if name is not None and is_own(name):
        if Path(name).suffix.lower() in MODEL_FILES and not Path(name).exists():
            raise UsageError(f"there is no file {name}: {EXPECTED}")
        return
    if name is not None:
        MODELS.check(name)
    if config.train.epochs == 0:
        raise UsageError(
            "train.epochs: expected at least 1, got 0: only a model of your own comes with its weights"
        )


def _check_trained(configs: Sequence[PruneConfig]) -> None:
    """As :func:`_check_structures`, of prunings that are trained; also for what only the offline control has."""
    _check_structures(configs)
    if any(config.clusters for config in configs):
        raise UsageError(
            "--clusters goes with --offline: they are made of a finished graph, without training, e.g. "
            "`tinyprune prune --offline runs/default/variants/weight-0.80/streaming.tflite --clusters 16`"
        )


def _check_structures(configs: Sequence[PruneConfig]) -> None:
    """Raise UsageError for structures and targets that make no sense, before anything is loaded or trained."""
    for config in configs:
        parse(config.structure, config.block_size)
        for rule in config.layers:
            parse(rule.structure or config.structure, rule.block_size or config.block_size)
        if config.target is not None:
            targets.configured(config.target)


def _variant_of(run: Path, path: Path) -> str | None:
    """The variant of a run that a ``.tflite`` belongs to, if any."""
    folder = path.resolve().parent
    return folder.name if folder.parent == (run / "variants").resolve() else None
