"""The ways to meet a budget, each a training that is done once: differentiable, uniform, narrower from scratch."""

import csv
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import keras

from benchmarks import narrow, takes
from benchmarks.contest import Contest, share_data
from benchmarks.narrow import Width
from benchmarks.takes import Taken
from tinyprune.artifacts.budget import BudgetRecord
from tinyprune.artifacts.quality import Quality
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.compress.fold import fold
from tinyprune.config import ModelConfig, PruneConfig
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
DENSE, DIFFERENTIABLE, UNIFORM, NARROWER, EXTREME = (
    "dense",
    "differentiable",
    "uniform",
    "narrower",
    "extreme",
)
TRIES = 3  # of a width: what Vela packs a trained network into is known when it is trained


@dataclass(frozen=True)
class Row:
    """One network that was trained.

    Attributes:
        way: how. seed: of its training. variant: its name in its run folder.
        score: metric of the int8 graph on dev. takes: quantity -> what it takes. parameters: of the
            Keras model.
        seconds: that training it took, all in all, without the baseline that it starts from.
        epoch_seconds: of each epoch.
        first_removal: after how many epochs units were removed first, where they are while it
            trains.
    """

    way: str
    seed: int
    variant: str
    score: float
    takes: Taken
    parameters: int
    seconds: float
    epoch_seconds: list[float]
    first_removal: int | None = None

    @property
    def epochs(self) -> int:
        """Of its training."""
        return len(self.epoch_seconds)


@dataclass(frozen=True)
class Found:
    """What was found for one network; a file of its own.

    Attributes:
        model: registry.MODELS. metric: of the scores. data: what it was trained on.
        epochs, pruning: of the baseline, and of each way. target: name of the NPU, or "own count".
        dense: quantity -> what the dense int8 network takes. budget, extreme: quantity -> the
            limit.
        rows: the dense network first.
        failures: what did not come to an end, one line each.
        measured_on: when, on what. quick: whether it is of toy size.
    """

    model: str
    metric: str
    data: str
    epochs: int
    pruning: int
    target: str
    dense: Taken
    budget: Taken
    extreme: Taken
    rows: list[Row]
    failures: list[str]
    measured_on: dict[str, Any] = field(default_factory=dict)
    quick: bool = False

    def of(self, way: str) -> list[Row]:
        """The rows of a way, seed by seed."""
        return [row for row in self.rows if row.way == way]


class Ways:
    """All ways for one network. What is trained already is not trained again."""

    def __init__(self, contest: Contest) -> None:
        self.contest, self.setting, self.run = contest, contest.setting, contest.run
        self._opened = Run(Workspace(self.run))
        self._task = self._opened.record
        self._frames = 1 if self._opened.record.hop_seconds else None
        self._target = _target(contest)
        export_variant(self.run, None)
        self.dense = self._row(self.run, BASELINE, DENSE, 0)
        self.budget, self.extreme = (
            {name: float(int(self.dense.takes[name] / times)) for name, times in cuts.items()}
            for cuts in (self.setting.cuts, self.setting.extreme)
        )

    def found(self, seeds: int, measured_on: dict[str, Any], quick: bool) -> Found:
        """Train everything and put it side by side."""
        rows, failures = [self.dense], []
        for what, train in self._all(seeds):
            try:
                rows.append(train())
            except TinypruneError as error:
                log.warning("%s, %s: %s", self.setting.model, what, error)
                failures.append(f"{what}: {error}")
        return Found(
            model=self.setting.model,
            metric=self._task.metric,
            data=self.contest.data,
            epochs=int(self._opened.recipe.train.epochs or 0),
            pruning=self.setting.pruning,
            target=self._target.name if self._target else "own count",
            dense=self.dense.takes,
            budget=self.budget,
            extreme=self.extreme,
            rows=rows,
            failures=failures,
            measured_on=measured_on,
            quick=quick,
        )

    def _all(self, seeds: int) -> Iterator[tuple[str, Callable[[], Row]]]:
        for seed in range(seeds):
            yield (
                DIFFERENTIABLE,
                lambda seed=seed: self.differentiable(self.budget, seed, DIFFERENTIABLE),
            )
            yield UNIFORM, lambda seed=seed: self._until_it_fits(self.uniform, seed)
            yield NARROWER, lambda seed=seed: self._until_it_fits(self.narrower, seed)
        yield EXTREME, lambda: self.differentiable(self.extreme, 0, EXTREME)

    def differentiable(self, limits: Taken, seed: int, way: str) -> Row:
        """Gates that the budget closes."""
        name = f"{way}-{self.setting.pruning}-{seed}"
        config = PruneConfig(
            name=name,
            method="differentiable",
            budget=takes.budget(limits),
            target=self.setting.target,
            round_to=self._rounds[
                -1 if way == EXTREME else 0
            ],  # few units are left: no set has eight to spare
            epochs=self.setting.pruning,
            seed=seed,
        )
        prune_variants(self.run, [config])
        return self._row(self.run, name, way, seed)

    def uniform(self, width: Width, seed: int) -> Row:
        """The same part of every set goes, what is smallest first."""
        name = f"{UNIFORM}-{_label(width)}-{self.setting.pruning}-{seed}"
        config = PruneConfig(
            name=name,
            structure="unit",
            scope="layer",
            sparsity=width.sparsity,
            round_to=width.round_to,
            epochs=self.setting.pruning,
            seed=seed,
        )
        prune_variants(self.run, [config])
        return self._row(self.run, name, UNIFORM, seed)

    def narrower(self, width: Width, seed: int) -> Row:
        """The same architecture untrained, then trained for as long: float as the baseline, then jointly with int8."""
        run = self.run.with_name(f"{self.run.name}-narrower-{_label(width)}-{seed}")
        share_data(run, self.run.parent)
        path = run / "untrained.keras"
        if not path.exists():  # once: the hash of the file is part of what the baseline claims
            with writing(path) as part:
                narrow.untrained(self._baseline(), width, seed).save(part)
        recipe = self._opened.recipe
        model = ModelConfig(str(path), recipe.model.custom)
        train_baseline(run, replace(recipe, model=model, train=replace(recipe.train, seed=seed)))
        name = f"{NARROWER}-{self.setting.pruning}"
        prune_variants(
            run, [PruneConfig(name=name, sparsity=0.0, epochs=self.setting.pruning, seed=seed)]
        )
        return self._row(run, name, NARROWER, seed, run / "variants" / BASELINE)

    # --- what they share
    # ------------------------------------------------------------------------------------------

    @property
    def _rounds(self) -> tuple[int, ...]:
        """What numbers of units are multiples of: any, where channels are only counted; the NPU likes eight."""
        return (8, 1) if self._target else (1,)

    def _until_it_fits(self, train: Callable[[Width, int], Row], seed: int) -> Row:
        """The widest network that keeps the budget once it is trained, at most TRIES of them."""
        return fits_first((train(width, seed) for width in self._widths), self.budget)

    @cached_property
    def _widths(self) -> list[Width]:
        """Widths that keep the budget before they are trained, widest first."""
        model = fold(self._baseline())
        within = narrow.fitting(
            model, self._fits, lambda one: takes.counted(one, self._frames)["MACs"], self._rounds
        )
        found = list(islice(within, TRIES))
        if not found:
            raise TinypruneError("no uniform width keeps the budget: nothing to compare with")
        return found

    def _fits(self, model: keras.Model) -> bool:
        found = (
            takes.compiled(model, self._frames, self._target)
            if self._target
            else takes.counted(model, self._frames)
        )
        return takes.worst(found, self.budget) <= 1

    def _baseline(self) -> keras.Model:
        return keras.models.load_model(self._opened.baseline.folder / "model.keras", compile=False)

    def _row(
        self, run: Path, variant: str, way: str, seed: int, baseline: Path | None = None
    ) -> Row:
        """``baseline``: folder of one that was trained for this row alone."""
        folder = run / "variants" / variant
        qualities = read_json(folder / "quality.json", list[Quality])
        quality = next(one for one in qualities if one.form == self._task.forms[0])
        trained = [one for one in (baseline, folder) if one]
        return Row(
            way=way,
            seed=seed,
            variant=variant,
            score=quality.metrics[self._task.metric],
            takes=self._takes(run, variant),
            parameters=read_json(folder / "size.json", int),
            seconds=sum(map(_seconds, trained)),
            epoch_seconds=[seconds for one in trained for seconds in _epoch_seconds(one)],
            first_removal=_first_removal(folder),
        )

    def _takes(self, run: Path, variant: str) -> Taken:
        if self._target is None:
            model = keras.models.load_model(
                run / "variants" / variant / "model.keras", compile=False
            )
            return takes.counted(model, self._frames)
        (summary,) = compile_variants(run, [self._target])
        return takes.of_report(next(row.report for row in summary.variants if row.name == variant))


def fits_first(rows: Iterable[Row], limits: Taken) -> Row:
    """The first row that keeps the limits; if none does, the last."""
    row: Row | None = None
    for row in rows:
        if takes.worst(row.takes, limits) <= 1:
            return row
        log.info(
            "%s: takes %.3f of its budget: one narrower",
            row.variant,
            takes.worst(row.takes, limits),
        )
    assert row is not None, "there is a width"
    return row


def _target(contest: Contest) -> NpuTarget | None:
    wanted = contest.setting.target
    return targets.resolve(wanted.npu, wanted.system_config, wanted.memory_mode) if wanted else None


def _label(width: Width) -> str:
    return f"{width.sparsity:.3f}-{width.round_to}"


def _seconds(folder: Path) -> float:
    """From the moment at which a variant was claimed to the one at which its training was recorded."""
    begin, end = ((folder / name).stat().st_mtime for name in ("variant.json", "train.json"))
    return end - begin


def _epoch_seconds(folder: Path) -> list[float]:
    """Of every epoch of a training."""
    with (folder / "history.csv").open(encoding="utf-8") as file:
        return [float(line["seconds"]) for line in csv.DictReader(file)]


def _first_removal(folder: Path) -> int | None:
    removals = (
        read_json(folder / RECORD, BudgetRecord).removals if (folder / RECORD).exists() else ()
    )
    return removals[0].epoch if removals else None
