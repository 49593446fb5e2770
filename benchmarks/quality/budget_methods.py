"""The methods that meet a budget, each a training that is done once.

Differentiable pruning, uniform pruning, and a narrower network from scratch.
"""

import csv
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any

import keras

from benchmarks.quality import uniform_width
from benchmarks.quality.uniform_width import Width
from benchmarks.shared import resources
from benchmarks.shared.budgets import TrainedBaseline, share_data
from benchmarks.shared.resources import Resources
from tinyprune.artifacts.budget import BudgetRecord
from tinyprune.artifacts.quality import Quality
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.compress.fold import fold
from tinyprune.config import BudgetPruning, MagnitudePruning, ModelConfig
from tinyprune.errors import TinypruneError
from tinyprune.npu import targets
from tinyprune.npu.limits import RECORD
from tinyprune.stages.compile import compile_variants
from tinyprune.stages.export import export_variant
from tinyprune.stages.prune import prune_variants
from tinyprune.stages.run import Run
from tinyprune.stages.train import train_baseline
from tinyprune.storage.records import read_json
from tinyprune.storage.run_folder import BASELINE, Workspace
from tinyprune.storage.writing import writing

log = logging.getLogger("tinyprune.benchmark")
DENSE = "dense"
DIFFERENTIABLE = "differentiable"
UNIFORM = "uniform"
NARROWER = "narrower"
EXTREME = "extreme"
TRIES = 3  # of a width: what Vela packs a trained network into is known when it is trained


@dataclass(frozen=True)
class Row:
    """One network that was trained.

    Attributes:
        method: by which it meets the budget.
        seed: of its training.
        variant: its name in its run folder.
        score: metric of the int8 graph on dev.
        resources: of the int8 graph.
        parameters: of the Keras model.
        seconds: of its training, all in all, without the baseline that it starts from.
        epoch_seconds: of each epoch.
        first_removal: number of epochs before the first removal of units, where the training
            removes units.
    """

    method: str
    seed: int
    variant: str
    score: float
    resources: Resources
    parameters: int
    seconds: float
    epoch_seconds: list[float]
    first_removal: int | None = None

    @property
    def epochs(self) -> int:
        """Number of epochs of its training."""
        return len(self.epoch_seconds)


@dataclass(frozen=True)
class NetworkComparison:
    """All methods for one network; a file of its own.

    Attributes:
        model: name in registry.MODELS.
        metric: of the scores.
        data: a description of the data.
        epochs, pruning: epochs of the baseline, and of each method.
        target: name of the NPU, or "own count".
        dense: resources of the dense int8 network.
        budget, extreme: limits.
        rows: the dense network first.
        failures: trainings that did not come to an end, one line each.
        measured_on: time, versions and machine.
        quick: True for toy sizes.
    """

    model: str
    metric: str
    data: str
    epochs: int
    pruning: int
    target: str
    dense: Resources
    budget: Resources
    extreme: Resources
    rows: list[Row]
    failures: list[str]
    measured_on: dict[str, Any] = field(default_factory=dict)
    quick: bool = False

    def rows_of(self, method: str) -> list[Row]:
        """Return the rows of a method, seed by seed."""
        return [row for row in self.rows if row.method == method]


class BudgetComparison:
    """All methods for one network. A network that is trained already is not trained again."""

    def __init__(self, baseline: TrainedBaseline) -> None:
        self.baseline = baseline
        self.setting = baseline.setting
        self.run = baseline.run
        self._opened = Run(Workspace(self.run))
        self._task = self._opened.record
        self._frames = 1 if self._opened.record.hop_seconds else None
        self._target = _target(baseline)
        export_variant(self.run, None)
        self.dense = self._row(self.run, BASELINE, DENSE, 0)
        self.budget = self._limits(self.setting.cuts)
        self.extreme = self._limits(self.setting.extreme)

    def compare(self, seeds: int, measured_on: dict[str, Any], quick: bool) -> NetworkComparison:
        """Train everything and return it side by side."""
        rows, failures = [self.dense], []
        for method, train in self._trainings(seeds):
            try:
                rows.append(train())
            except TinypruneError as error:
                log.warning("%s, %s: %s", self.setting.model, method, error)
                failures.append(f"{method}: {error}")
        return NetworkComparison(
            model=self.setting.model,
            metric=self._task.metric,
            data=self.baseline.data,
            epochs=int(self._opened.recipe.train.epochs or 0),
            pruning=self.setting.pruning,
            target=self._target.name if self._target else "own count",
            dense=self.dense.resources,
            budget=self.budget,
            extreme=self.extreme,
            rows=rows,
            failures=failures,
            measured_on=measured_on,
            quick=quick,
        )

    def _trainings(self, seeds: int) -> Iterator[tuple[str, Callable[[], Row]]]:
        for seed in range(seeds):
            yield DIFFERENTIABLE, partial(self.differentiable, self.budget, seed, DIFFERENTIABLE)
            yield UNIFORM, partial(self._within_budget, self.uniform, seed)
            yield NARROWER, partial(self._within_budget, self.narrower, seed)
        yield EXTREME, partial(self.differentiable, self.extreme, 0, EXTREME)

    def differentiable(self, limits: Resources, seed: int, method: str) -> Row:
        """Prune with gates that the budget closes."""
        name = f"{method}-{self.setting.pruning}-{seed}"
        # Few units are left of the extreme one: no set has eight to spare.
        round_to = self._rounds[-1] if method == EXTREME else self._rounds[0]
        config = BudgetPruning(
            name=name,
            budget=resources.budget(limits),
            target=self.setting.target,
            round_to=round_to,
            epochs=self.setting.pruning,
            seed=seed,
        )
        prune_variants(self.run, [config])
        return self._row(self.run, name, method, seed)

    def uniform(self, width: Width, seed: int) -> Row:
        """Prune the same part of every set, the smallest units first."""
        name = f"{UNIFORM}-{_label(width)}-{self.setting.pruning}-{seed}"
        config = MagnitudePruning(
            name=name,
            structure="unit",
            scope="layer",
            importance="l1",
            floor=0.0,
            sparsity=width.sparsity,
            round_to=width.round_to,
            epochs=self.setting.pruning,
            seed=seed,
        )
        prune_variants(self.run, [config])
        return self._row(self.run, name, UNIFORM, seed)

    def narrower(self, width: Width, seed: int) -> Row:
        """Train the narrower architecture from scratch for as long.

        Float as the baseline, then jointly with int8.
        """
        run = self.run.with_name(f"{self.run.name}-narrower-{_label(width)}-{seed}")
        share_data(run, self.run.parent)
        path = run / "untrained.keras"
        if not path.exists():  # once: the hash of the file is part of what the baseline claims
            with writing(path) as part:
                uniform_width.untrained(self._baseline(), width, seed).save(part)
        recipe = self._opened.recipe
        model = ModelConfig(str(path), recipe.model.custom)
        train_baseline(run, replace(recipe, model=model, train=replace(recipe.train, seed=seed)))
        name = f"{NARROWER}-{self.setting.pruning}"
        config = MagnitudePruning(name=name, sparsity=0.0, epochs=self.setting.pruning, seed=seed)
        prune_variants(run, [config])
        return self._row(run, name, NARROWER, seed, run / "variants" / BASELINE)

    def _limits(self, cuts: Mapping[str, float]) -> Resources:
        """Return the dense network's resources, each divided by its cut, in whole numbers."""
        return {name: float(int(self.dense.resources[name] / cut)) for name, cut in cuts.items()}

    @property
    def _rounds(self) -> tuple[int, ...]:
        """Multiples that numbers of units are rounded to.

        Any number, where channels are only counted; the NPU likes eight.
        """
        return (8, 1) if self._target else (1,)

    def _within_budget(self, train: Callable[[Width, int], Row], seed: int) -> Row:
        """Train the widest network that keeps the budget once it is trained, of at most TRIES."""
        return first_within((train(width, seed) for width in self._widths), self.budget)

    @cached_property
    def _widths(self) -> list[Width]:
        """Widths that keep the budget before they are trained, widest first."""
        model = fold(self._baseline())
        within = uniform_width.widths_within(model, self._is_within, self._macs, self._rounds)
        widths = list(islice(within, TRIES))
        if not widths:
            raise TinypruneError("no uniform width keeps the budget: nothing to compare with")
        return widths

    def _macs(self, model: keras.Model) -> float:
        return resources.counted(model, self._frames)["MACs"]

    def _is_within(self, model: keras.Model) -> bool:
        if self._target:
            needed = resources.compiled(model, self._frames, self._target)
        else:
            needed = resources.counted(model, self._frames)
        return resources.largest_share(needed, self.budget) <= 1

    def _baseline(self) -> keras.Model:
        return keras.models.load_model(self._opened.baseline.folder / "model.keras", compile=False)

    def _row(
        self, run: Path, variant: str, method: str, seed: int, baseline: Path | None = None
    ) -> Row:
        """Return the row of a variant.

        Args:
            run: folder that has the variant.
            variant: its name.
            method: by which it meets the budget.
            seed: of its training.
            baseline: folder of a baseline that was trained for this row alone.
        """
        folder = run / "variants" / variant
        trained = [folder] if baseline is None else [baseline, folder]
        epoch_seconds: list[float] = []
        for trained_folder in trained:
            epoch_seconds += _epoch_seconds(trained_folder)
        return Row(
            method=method,
            seed=seed,
            variant=variant,
            score=self._score(folder),
            resources=self._resources(run, variant),
            parameters=read_json(folder / "size.json", int),
            seconds=sum(map(_seconds, trained)),
            epoch_seconds=epoch_seconds,
            first_removal=_first_removal(folder),
        )

    def _score(self, folder: Path) -> float:
        """Return the metric of the first int8 graph of a variant on dev."""
        qualities = read_json(folder / "quality.json", list[Quality])
        by_form = {quality.form: quality for quality in reversed(qualities)}
        return by_form[self._task.forms[0]].metrics[self._task.metric]

    def _resources(self, run: Path, variant: str) -> Resources:
        if self._target is None:
            path = run / "variants" / variant / "model.keras"
            return resources.counted(keras.models.load_model(path, compile=False), self._frames)
        (summary,) = compile_variants(run, [self._target])
        reports = {row.name: row.report for row in summary.variants}
        return resources.reported(reports[variant])


def first_within(rows: Iterable[Row], limits: Resources) -> Row:
    """Return the first row that keeps the limits; the last one, if none does."""
    row: Row | None = None
    for row in rows:
        share = resources.largest_share(row.resources, limits)
        if share <= 1:
            return row
        log.info("%s: takes %.3f of its budget: one narrower", row.variant, share)
    assert row is not None, "there is a width"
    return row


def _target(baseline: TrainedBaseline) -> NpuTarget | None:
    target = baseline.setting.target
    if target is None:
        return None
    return targets.resolve(target.npu, target.system_config, target.memory_mode)


def _label(width: Width) -> str:
    return f"{width.sparsity:.3f}-{width.round_to}"


def _seconds(folder: Path) -> float:
    """Return the time between the claim of a variant and the record of its training."""
    begin = (folder / "variant.json").stat().st_mtime
    end = (folder / "train.json").stat().st_mtime
    return end - begin


def _epoch_seconds(folder: Path) -> list[float]:
    """Return the seconds of every epoch of a training."""
    with (folder / "history.csv").open(encoding="utf-8") as file:
        return [float(line["seconds"]) for line in csv.DictReader(file)]


def _first_removal(folder: Path) -> int | None:
    if not (folder / RECORD).exists():
        return None
    removals = read_json(folder / RECORD, BudgetRecord).removals
    return removals[0].epoch if removals else None
