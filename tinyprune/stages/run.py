"""One run: its stages on its folder. Each finds the one before it, is done once, and leaves a record.

Heavy rooms are imported where they are used: what is finished already costs no import.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.plan import PruningPlan
from tinyprune.artifacts.quality import Quality, TaskRecord
from tinyprune.artifacts.resources import CompiledArtifact, NpuTarget
from tinyprune.artifacts.summary import RunSummary, VariantSummary
from tinyprune.config import DataConfig, PruneConfig, RunConfig, check, from_mapping
from tinyprune.config.data import FOLDERS
from tinyprune.data.speech.evaluation_data import GivenData, load_given
from tinyprune.errors import UsageError
from tinyprune.metrics import selection as choose
from tinyprune.metrics.scores import Scored
from tinyprune.npu import limits, targets, vela
from tinyprune.npu.batch import Job, compile_many
from tinyprune.registry import DATASETS
from tinyprune.report.model.record import SCHEMA
from tinyprune.stages.model_reference import Asked, Wanted
from tinyprune.storage.records import read_json, write_json
from tinyprune.storage.run_folder import BASELINE, Variant, Workspace, sha256

if TYPE_CHECKING:
    import keras

    from tinyprune.tasks.lookup import Dataset
    from tinyprune.tasks.task import Task

log = logging.getLogger(__name__)
Qualities = list[tuple[str, Quality]]
TEST_FOLDERS = "test-folders.json"
TESTED = tuple(name for name in FOLDERS if name.startswith("test_"))  # fields of DataConfig


class Run:
    """A run folder that this process has to itself. Attributes: space."""

    def __init__(self, space: Workspace) -> None:
        self.space = space

    @property
    def baseline(self) -> Variant:
        """The float32 baseline. Raises UsageError where there is none."""
        return self.require(BASELINE)

    def require(self, name: str) -> Variant:
        """A trained variant by name; raises UsageError that says what there is."""
        variant = self.space.variant(name)
        if not variant.is_done("train"):
            known = ", ".join(found.name for found in self.space.variants())
            what = f"it has {known}" if known else "run `tinyprune train` first"
            raise UsageError(f"no finished variant '{name}' in {self.space.root}: {what}")
        return variant

    def trained(self, name: str) -> Variant:
        """A variant with a Keras model, by name; raises UsageError for one of the offline control."""
        variant = self.require(name)
        if "offline" in variant.configuration():
            raise UsageError(
                f"variant '{name}' was pruned offline and has no Keras model: start --from the one that it was made of"
            )
        return variant

    @cached_property
    def recipe(self) -> RunConfig:
        """The configuration that the baseline was trained with."""
        configuration = self.baseline.configuration()
        return from_mapping(
            {
                name: {
                    key: value for key, value in configuration[name].items() if value is not None
                }
                for name in ("data", "model", "train")
            }
        )

    @cached_property
    def record(self) -> TaskRecord:
        """What the networks of this run are for."""
        return read_json(self.baseline.folder / "task.json", TaskRecord)

    @cached_property
    def task(self) -> "Task":
        """The task with the data of the baseline. Raises UsageError if they are not what it was trained on any more."""
        dataset = self._dataset(self.recipe.data)
        if _digest(dataset) != self.baseline.configuration()["data_sha256"]:
            raise UsageError(
                f"the files of the data have changed since the baseline in {self.space.root} was trained: "
                "bring them back, or train in another --run"
            )
        return self._task(dataset)

    # --- stages
    # ---------------------------------------------------------------------------------------------------

    def train(self, config: RunConfig) -> None:
        """Train the baseline. Raises UsageError if one with another configuration is there."""
        from tinyprune.stages import networks
        from tinyprune.stages.training import train_baseline
        from tinyprune.tasks.lookup import choose

        variant, data = self.space.variant(BASELINE), _untested(config.data)
        dataset = self._dataset(data)
        task = choose(dataset, config.train)
        model, train, source = networks.resolved(config, task)
        claim = {
            "data": data,
            "model": model,
            "train": train,
            **source,
            "data_sha256": _digest(dataset),
        }
        with variant.claimed(claim):
            if config.data != data:
                self._dataset(
                    config.data
                )  # whatever is wrong with the test folders is said now, not at the end
                given = {
                    name: getattr(config.data, name)
                    for name in TESTED
                    if getattr(config.data, name)
                }
                write_json(self.space.root / TEST_FOLDERS, given)
            if variant.is_done("train"):
                log.info("baseline: trained already, in %s", variant.folder)
                return
            network = networks.network(model, train, task)
            variant.finish("train", {}, train_baseline(network, task, train, variant.folder))

    def prune(self, config: PruneConfig) -> Variant:
        """Prune a variant, by default the baseline, into a new one, and export it."""
        base, variant = self.trained(config.base), self.space.variant(config.variant)
        with variant.claimed(
            {"prune": config, "base_sha256": base.output_sha256("train", "model.keras")}
        ):
            if variant.is_done("train"):
                log.info("%s: pruned already, in %s", variant.name, variant.folder)
            else:
                variant.finish("train", {}, self._pruned(base, config, variant.folder))
        self.export(variant)
        if config.is_differentiable and config.target:
            self._hold_to_budget(variant, targets.configured(config.target))
        return variant

    def plan(self, config: PruneConfig) -> PruningPlan:
        """What :meth:`prune` would do, layer by layer, without training."""
        from tinyprune.compress.fold import fold
        from tinyprune.compress.planning import plan

        return plan(fold(self._model(self.trained(config.base))), config)

    def prune_offline(self, source: Variant, config: PruneConfig) -> Variant:
        """Prune the int8 graphs of a variant as they are, without training, into a variant of their own."""
        from tinyprune.stages.offline import prune_graphs

        self.export(source)
        variant = self.space.variant(config.variant)
        graphs = {path.stem: sha256(path) for path in sorted(source.folder.glob("*.tflite"))}
        with variant.claimed({"offline": config, "source": source.name, "tflite_sha256": graphs}):
            if variant.is_done("export"):
                log.info("%s: made already, in %s", variant.name, variant.folder)
            else:
                outputs = prune_graphs(source.folder, self.task, config, variant.folder)
                variant.finish("train", {}, ["size.json"])
                variant.finish("export", {}, outputs)
        return variant

    def export(self, variant: Variant) -> list[Quality]:
        """Int8 TFLite of a variant, checked. Returns what it can do on dev."""
        if "offline" not in variant.configuration():
            inputs = {"model": variant.output_sha256("train", "model.keras")}
            if not variant.is_done("export", inputs):
                from tinyprune.stages.export import export_variant

                variant.finish(
                    "export",
                    inputs,
                    export_variant(self._model(variant), self.task, variant.folder),
                )
        return read_json(variant.folder / "quality.json", list[Quality])

    def compile(self, targets: Sequence[NpuTarget]) -> list[RunSummary]:
        """Compile every variant for every target and put what they cost beside what they can do."""
        found = [(variant, *self._exported(variant)) for variant in self.space.variants()]
        pairs = [(target, variant, tflite) for target in targets for variant, _, tflite in found]
        jobs = [
            Job(v.folder / t.path, target, v.folder / _compiled(target), t.layers)
            for target, v, t in pairs
        ]
        made = compile_many(jobs)
        for (target, variant, tflite), artifact in zip(pairs, made, strict=True):
            stage, inputs = (
                f"{_compiled(target)}/compile",
                {"tflite": tflite.sha256, "target": target},
            )
            inputs["vela"] = artifact.report.vela_version
            if not variant.is_done(stage, inputs):
                outputs = [
                    f"{_compiled(target)}/{name}" for name in (vela.RECORD_NAME, artifact.path.name)
                ]
                variant.finish(stage, inputs, outputs)
        noisy = next(
            (quality for quality in self.export(self.baseline) if quality.form == "noisy"), None
        )
        summaries = []
        for index, target in enumerate(targets):
            of_target = made[index * len(found) : (index + 1) * len(found)]
            rows = tuple(
                _row(*what, artifact) for what, artifact in zip(found, of_target, strict=True)
            )
            summaries.append(RunSummary(SCHEMA, target, self.record.hop_seconds, noisy, rows))
        for summary in reversed(
            summaries
        ):  # the first is what a report shows first: the one that was made last
            write_json(self.space.root / f"summary-{summary.target.name}.json", summary)
        return summaries

    def evaluate(self, wanted: Sequence[Wanted], asked: Asked) -> Scored:
        """The metrics of models (default: all variants) on every item of a split, and of the input as it is."""
        from tinyprune.stages import evaluation

        chosen = list(wanted) or [Wanted(variant.name) for variant in self.space.variants()]
        if asked.held and len(chosen) == 1 and chosen[0].path is None:
            chosen.insert(0, Wanted(BASELINE))
        asked.check_gate(chosen)
        variants = {one.name: self.require(one.name) for one in chosen if one.path is None}
        metrics = choose.chosen(asked.metrics, self.record.name, asked.held)
        dataset = self._scored_data(asked.data)
        own = self._task(dataset)
        tasks = evaluation.Tasks(dataset, own, asked.frontend)
        models = [
            evaluation.of_file(one, tasks, self.recipe.model.custom)
            if one.path
            else evaluation.of_variant(one, own, *self._graphs(variants[one.name]))
            for one in chosen
        ]
        return evaluation.evaluate(models, asked.split, metrics)

    # --- what they share
    # ------------------------------------------------------------------------------------------

    def _pruned(self, base: Variant, config: PruneConfig, folder: Path) -> list[str]:
        """The files of a pruning, made in ``folder``."""
        from tinyprune.compress.mask_updater import load_masks
        from tinyprune.stages.training import prune, prune_to_budget

        what = (
            self._model(base),
            self._model(self.baseline),
            self.task,
            self.recipe.train,
            config,
            folder,
        )
        masks = load_masks(base.folder)
        if not config.is_differentiable:
            return prune(*what, inherited=masks)
        if not all(mask.all() for mask in masks.values()):
            raise UsageError(
                f"variant '{base.name}' has pruned weights, which a differentiable pruning would bring back: "
                "start --from one without, and prune its weights afterwards"
            )
        return prune_to_budget(
            *what, target=targets.configured(config.target) if config.target else None
        )

    def _hold_to_budget(self, variant: Variant, target: NpuTarget) -> None:
        """Compile a variant and hold it to its budget. Raises CheckFailed that says how near it came."""
        _, artifact = self._exported(variant)
        job = Job(
            variant.folder / artifact.path,
            target,
            variant.folder / _compiled(target),
            artifact.layers,
        )
        [made] = compile_many([job])
        limits.hold(variant.folder, made.report)

    def _exported(self, variant: Variant) -> tuple[Quality, TFLiteArtifact]:
        """The graph of a variant that the device runs, and what it can do on dev."""
        form = self.record.forms[0]
        quality = next(quality for quality in self.export(variant) if quality.form == form)
        return quality, read_json(variant.folder / f"{form}.json", TFLiteArtifact)

    def _graphs(self, variant: Variant) -> "tuple[Path, Callable[[], keras.Model] | None]":
        """The folder with the int8 graphs of a variant, made if they are not there; what loads its network, if any."""
        self.export(variant)
        return variant.folder, None if "offline" in variant.configuration() else partial(
            self._model, variant
        )

    def _scored_data(self, given: GivenData) -> "Dataset":
        """The data that are scored: pairs or a corpus of their own, else those of the run, maybe with test folders."""
        if given.is_whole:
            if self.record.name != "speech":
                raise UsageError(
                    f"{self.space.root} is a run of {self.record.name}: it is scored on its own data"
                )
            return load_given(given, self.space.data)
        folders = {"test_speech": given.test_speech, "test_noise": given.test_noise}
        data = replace(self.recipe.data, **(folders if given.is_given else self._test_folders()))
        check(data)
        return self._dataset(data)

    def _dataset(self, config: DataConfig) -> "Dataset":
        dataset: Dataset = DATASETS[config.name](config, self.space.data)
        return dataset

    def _task(self, dataset: "Dataset") -> "Task":
        from tinyprune.tasks.lookup import choose

        return choose(dataset, self.recipe.train, self.baseline.folder / "frontend.json")

    def _model(self, variant: Variant) -> "keras.Model":
        """The network of a variant; a user's layers come from the modules that the baseline's came from."""
        from tinyprune.models.own import is_own, load

        config = self.recipe.model
        module, colon, _ = str(config.name).partition(":")
        defining = (module,) if colon and is_own(str(config.name)) else ()
        return load(str(variant.folder / "model.keras"), (*config.custom, *defining))

    def _test_folders(self) -> dict[str, str]:
        """The folders that the run was given last; no training depends on them: they are no part of what it claims."""
        path = self.space.root / TEST_FOLDERS
        return read_json(path, dict[str, str]) if path.exists() else {}


def _untested(data: DataConfig) -> DataConfig:
    """The configuration without folders of the test split: no training depends on them."""
    none: dict[str, Any] = dict.fromkeys(TESTED)
    return replace(data, **none)


def _compiled(target: NpuTarget) -> str:
    """Where a variant has what was compiled for a target."""
    return f"compiled/{target.name}"


def _row(
    variant: Variant, quality: Quality, tflite: TFLiteArtifact, compiled: CompiledArtifact
) -> VariantSummary:
    return VariantSummary(
        name=variant.name,
        parameters=read_json(variant.folder / "size.json", int),
        sparsity=tflite.sparsity,
        quality=quality,
        tflite=tflite,
        report=compiled.report,
    )


def _digest(dataset: "Dataset") -> str:
    return hashlib.sha256(dataset.fingerprint().encode()).hexdigest()
