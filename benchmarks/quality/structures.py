"""Structures and what they are combined with, beside each other in metric, flash and cycles (long, by name).

Every row is a chain of prunings of one baseline, with the settings that are the defaults, and is
compiled for one accelerator with weights in flash and in SRAM. Variants are in a run folder, so a
killed measurement goes on. Each network has a file of its own in ``results/structures``.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.shared.budgets import (
    SETTINGS,
    TrainedBaseline,
    selected_settings,
    trained_baseline,
)
from benchmarks.shared.environment import log_to_stderr
from benchmarks.shared.report import Case, Check, Report, Unavailable
from benchmarks.shared.sizes import SIZES
from tinyprune.artifacts.resources import ResourceReport
from tinyprune.config import MagnitudePruning, OfflinePruning
from tinyprune.errors import CheckFailed
from tinyprune.metrics.metric import HIGHER, Metric, metric_of
from tinyprune.metrics.scores import quality
from tinyprune.npu import targets
from tinyprune.stages.compile import compile_variants
from tinyprune.stages.evaluate import evaluate_models
from tinyprune.stages.export import export_variant
from tinyprune.stages.model_reference import EvaluationRequest
from tinyprune.stages.offline import prune_offline
from tinyprune.stages.prune import prune_variants
from tinyprune.stages.run import Run
from tinyprune.storage.records import read_json, write_json
from tinyprune.storage.run_folder import BASELINE, Workspace

NPU = "ethos-u55-128"
IN_FLASH, IN_SRAM = "Shared_Sram", "Sram_Only"
SPLITS = ("dev", "test")


@dataclass(frozen=True)
class Step:
    """One pruning.

    Attributes:
        structure, sparsity: as of a pruning.
        clusters: values per kernel; None: as many as int8 has.
        is_offline: whether a file is pruned, without training.
        levels: sparsities that the same training has learned; empty: its own alone.
    """

    structure: str = "weight"
    sparsity: float = 0.0
    clusters: int | None = None
    is_offline: bool = False
    levels: tuple[float, ...] = ()


_SLIM = (0.25, 0.5, 0.75)
#: Row -> what is done, one step to the result of the one before.
ROWS: dict[str, tuple[Step, ...]] = {
    "dense, trained on": (Step(),),
    "weight 80 %": (Step("weight", 0.8),),
    "weight 90 %": (Step("weight", 0.9),),
    "block 80 %": (Step("block", 0.8),),
    "2:4": (Step("2:4", 0.5),),
    "unit 25 %": (Step("unit", 0.25),),
    "unit 50 %": (Step("unit", 0.5),),
    "unit 75 %": (Step("unit", 0.75),),
    "unit 25 %, of three at once": (Step("unit", 0.25, levels=_SLIM),),
    "unit 50 %, of three at once": (Step("unit", 0.5, levels=_SLIM),),
    "unit 75 %, of three at once": (Step("unit", 0.75, levels=_SLIM),),
    "low-rank 50 %": (Step("low-rank", 0.5),),
    "low-rank 70 %": (Step("low-rank", 0.7),),
    "weight 80 %, 16 values learned": (Step("weight", 0.8, clusters=16),),
    "weight 80 %, then 16 values": (
        Step("weight", 0.8),
        Step(clusters=16, is_offline=True),
    ),
    "unit 50 %, then weight 80 %": (Step("unit", 0.5), Step("weight", 0.8)),
    "low-rank 50 %, then weight 80 %": (Step("low-rank", 0.5), Step("weight", 0.8)),
}


@dataclass(frozen=True)
class Outcome:
    """One row of a network.

    Attributes:
        row: what was done; a key of ROWS, or "baseline".
        scores: split -> metric of the int8 graph.
        flash: encoded, in bytes.
        cycles: memory mode -> cycles of an inference.
        seconds: of all trainings of the chain, without the baseline.
        refused: the message of a pruning that was refused, which has none of these.
    """

    row: str
    scores: dict[str, float]
    flash: float = 0.0
    cycles: dict[str, float] | None = None
    seconds: float = 0.0
    refused: str = ""


@dataclass(frozen=True)
class Measured:
    """All rows of a network. Written as one file, which later reports read."""

    network: str
    metric: str
    note: str
    outcomes: list[Outcome]


def measure(options: argparse.Namespace) -> Report:
    """Train what is not trained yet and report every network that has been measured."""
    settings = selected_settings(options)
    if not options.only:
        settings = settings[: SIZES.structured_networks]
    if options.baseline and len(settings) != 1:
        raise Unavailable("--baseline is that of one network: name it, e.g. --only ds_cnn")
    log_to_stderr()
    folder = options.results / "structures"
    for setting in settings:
        found = _Bench(trained_baseline(setting, options)).measured()
        write_json(folder / f"{setting.model}.json", found)
    paths = [folder / f"{name}.json" for name in SETTINGS]
    known = [read_json(path, Measured) for path in paths if path.exists()]
    for found in known:
        print("\n".join(table(found)), flush=True)
    cases = [case for found in known for case in _cases(found)]
    checks = [check for found in known for check in _checks(found)]
    return Report(cases, checks, [found.note for found in known])


@dataclass(frozen=True)
class _Variant:
    """What a row became. Attributes: row; name; seconds, of its trainings; refused, a message."""

    row: str
    name: str
    seconds: float = 0.0
    refused: str = ""


class _Bench:
    """The run folder of one network."""

    def __init__(self, baseline: TrainedBaseline) -> None:
        self.baseline = baseline
        self.folder = baseline.run
        self.epochs = baseline.setting.pruning
        export_variant(self.folder, None)
        self.run = Run(Workspace(self.folder))
        self.form = self.run.record.forms[0]

    def measured(self) -> Measured:
        """Return the baseline and all rows."""
        made = [self._variant(row) for row in list(ROWS)[: SIZES.structured_rows]]
        by_mode = [targets.resolve(NPU, None, mode) for mode in (IN_FLASH, IN_SRAM)]
        summaries = compile_variants(self.folder, by_mode)
        reports = [{row.name: row.report for row in summary.variants} for summary in summaries]
        outcomes = [self._outcome(one, *reports) for one in (_Variant(BASELINE, BASELINE), *made)]
        setting = self.baseline.setting
        note = (
            f"{setting.model}: {self.run.recipe.train.epochs} float epochs, then {self.epochs} of "
            f"every step; {self.baseline.data}; {NPU}; one seed"
        )
        return Measured(setting.model, self.run.record.metric, note, outcomes)

    def _variant(self, row: str) -> "_Variant":
        """Make the variants of a row that are not there yet; return the last one."""
        variant = _Variant(row, BASELINE)
        for step in ROWS[row]:
            try:
                name = self._made(step, variant.name)
            except CheckFailed as error:
                return replace(variant, refused=str(error))
            trained = (
                0.0 if step.is_offline else _training_seconds(self.run.space.variant(name).folder)
            )
            variant = replace(variant, name=name, seconds=variant.seconds + trained)
        return variant

    def _outcome(
        self,
        variant: "_Variant",
        in_flash: Mapping[str, ResourceReport],
        in_sram: Mapping[str, ResourceReport],
    ) -> Outcome:
        if variant.refused:
            return Outcome(variant.row, {}, refused=variant.refused)
        scores = {split: self._score(variant.name, split) for split in SPLITS}
        report = in_flash[variant.name]
        cycles = {
            IN_FLASH: float(report.cycles),
            IN_SRAM: float(in_sram[variant.name].cycles),
        }
        return Outcome(variant.row, scores, report.flash_bytes, cycles, variant.seconds)

    def _made(self, step: Step, base: str) -> str:
        """Make the variant of a step if it is not there, and return its name."""
        values = "" if step.clusters is None else f"-{step.clusters}-values"
        of_step = f"{step.structure.replace(':', '-')}-{step.sparsity:.2f}{values}"
        name = of_step if base == BASELINE else f"{base}-{of_step}"
        sparsity = None if ":" in step.structure else step.sparsity
        if step.is_offline:
            graph = self.folder / "variants" / base / f"{self.form}.tflite"
            offline = OfflinePruning(name=name, sparsity=0.0, clusters=step.clusters)
            prune_offline(self.folder, graph, offline, None)
            return name
        host = f"{step.structure}-{min(step.levels, default=0):.2f}-at-once"
        if step.levels:
            name = f"{of_step}-at-once"
        config = MagnitudePruning(
            name=name,
            levels=step.levels,
            trained_in=None if not step.levels or name == host else host,
            base=base,
            structure=step.structure,
            sparsity=sparsity,
            clusters=step.clusters,
            epochs=self.epochs,
        )
        prune_variants(self.folder, [config])
        return name

    def _score(self, variant: str, split: str) -> float:
        request = EvaluationRequest(split=split)
        scored = evaluate_models(self.run, [f"{variant}:{self.form}"], request)
        found = quality(scored.models[0][0])
        return found.metrics[self.run.record.metric]


def _training_seconds(folder: Path) -> float:
    """Return the sum of the seconds of all epochs of a training."""
    lines = (folder / "history.csv").read_text(encoding="utf-8").splitlines()
    column = lines[0].split(",").index("seconds")
    return sum(float(line.split(",")[column]) for line in lines[1:])


def table(found: Measured) -> Iterator[str]:
    """A line per row, at most 100 columns; ``*`` where no other row is better in dev metric and both costs."""
    metric = metric_of(found.metric)
    yield (
        f"{found.network:<34}{'dev':>10}{'test':>10}{'flash':>10}"
        f"{'cycles':>10}{IN_SRAM:>12}{'seconds':>9}"
    )
    for outcome in found.outcomes:
        if outcome.refused:
            yield f"  {outcome.row:<32}refused: {outcome.refused}"
            continue
        assert outcome.cycles is not None
        mark = "*" if not _is_dominated(outcome, found.outcomes, metric) else " "
        scores = "".join(f"{metric.format(outcome.scores[split]):>10}" for split in SPLITS)
        costs = f"{outcome.flash / 1000:>7.1f} kB{outcome.cycles[IN_FLASH] / 1000:>8.1f} k"
        in_sram = f"{outcome.cycles[IN_SRAM] / 1000:>10.1f} k"
        yield f"{mark} {outcome.row:<32}{scores}{costs}{in_sram}{outcome.seconds:>9.0f}"


def _is_dominated(outcome: Outcome, others: Sequence[Outcome], metric: Metric) -> bool:
    """Return whether another row is as good on dev and as cheap, and better in one of them."""
    mine = _costs(outcome, metric)
    for other in others:
        if other.refused or other is outcome:
            continue
        theirs = _costs(other, metric)
        is_as_good = all(cost <= own for cost, own in zip(theirs, mine, strict=True))
        if is_as_good and theirs != mine:
            return True
    return False


def _costs(outcome: Outcome, metric: Metric) -> tuple[float, ...]:
    """Numbers of which less is better: the metric on dev, flash, cycles in both modes."""
    assert outcome.cycles is not None
    score = outcome.scores["dev"]
    loss = -score if metric.direction == HIGHER else score
    return (loss, outcome.flash, outcome.cycles[IN_FLASH], outcome.cycles[IN_SRAM])


def _cases(found: Measured) -> Iterator[Case]:
    heading = metric_of(found.metric).heading
    for outcome in found.outcomes:
        for split, score in outcome.scores.items():
            yield Case(f"{found.network}, {outcome.row}: {split}", heading, [score])


def _checks(found: Measured) -> Iterator[Check]:
    """How many times less than the baseline each row takes."""
    base = found.outcomes[0]
    assert base.cycles is not None
    for outcome in found.outcomes[1:]:
        if outcome.cycles is None:
            continue
        what = f"{found.network}, {outcome.row}"
        yield Check(f"{what}: flash", base.flash / outcome.flash)
        for mode, cycles in outcome.cycles.items():
            yield Check(f"{what}: cycles, {mode}", base.cycles[mode] / cycles)
