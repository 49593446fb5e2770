"""A sweep: chains of prunings are tried until the limit, then the one to ship is named."""

import logging
import time
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from tinyprune.artifacts.quantity import CPU_OPERATORS, QUANTITIES
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.artifacts.sweep import DONE, FOLDER, FinalScore, SweepAnswer, TrialRecord
from tinyprune.config import RunConfig, SweepConfig, TargetConfig, check
from tinyprune.config.budget import Budget
from tinyprune.config.sweep import COSTS
from tinyprune.errors import CheckFailed, TinypruneError, UsageError
from tinyprune.metrics.metric import metric_of
from tinyprune.metrics.statistics import estimates
from tinyprune.npu import targets
from tinyprune.search.answer import Question, answer
from tinyprune.search.space import OF_TRAINING
from tinyprune.search.study import Asked, Study
from tinyprune.search.trials import TrialFolder
from tinyprune.sparsity.structure import parse
from tinyprune.stages.compile import compile_variant, compile_variants
from tinyprune.stages.export import device_graph
from tinyprune.stages.ray_cluster import connected
from tinyprune.stages.ray_workers import RayRequest, RayTasks
from tinyprune.stages.run import Run, begin_run
from tinyprune.stages.sweep_trial import TrialJob, measured, scores_of
from tinyprune.stages.train import check_model, check_widths, train_baseline
from tinyprune.stages.trial_workers import Workers, local_workers
from tinyprune.storage.recorded import BASELINE
from tinyprune.units import format_seconds

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SweepRequest:
    """The conditions of a sweep.

    Attributes:
        limits: what the variant to ship may cost.
        jobs: how many trials run at a time; None: as many as cores and memory allow.
        final: whether what is shipped is scored on test.
        ray: the cluster that trials run on; None: they run on this machine.
    """

    limits: Budget = Budget()
    jobs: int | None = None
    final: bool = False
    ray: RayRequest | None = None

    def engine(self) -> AbstractContextManager[None]:
        """Return what keeps a connection to the cluster, if trials run on one."""
        if self.ray is not None:
            return connected(self.ray.address)
        return nullcontext()

    def workers(self, run: Run) -> Workers:
        """Return who runs the trials."""
        if self.ray is not None:
            return RayTasks(run, self.ray, self.jobs)
        return local_workers(run, self.jobs)


def run_sweep(config: RunConfig, folder: Path, request: SweepRequest) -> SweepAnswer:
    """Train the baseline, try chains of prunings, and return fronts and the variant to ship.

    Trials that are in the run folder already are not done again, and those that were interrupted
    go on. Raises UsageError, before anything is loaded, for a sweep that makes no sense.
    """
    target_config = replace(config.target[0], verify=None)
    targets.resolve_config(target_config)
    check_model(config)
    check_sweep(config.sweep)
    check_widths(config)
    with request.engine(), begin_run(folder) as run:
        train_baseline(run, config)
        sweep = _Sweep(run, config.sweep, target_config, request)
        baseline = sweep.baseline()
        trials = sweep.tried()
        sweep.verify(trials)
        _summarise(run, sweep.question.target)
        found = answer(sweep.question, baseline, trials, lambda name: scores_of(run, name))
        if request.final and found.ship is not None:
            found = replace(found, final=_final(run, found.ship.variant, sweep.folder))
        sweep.folder.keep_answer(found)
        return found


def check_sweep(config: SweepConfig) -> None:
    """Raise UsageError, before anything is loaded, for a space that is empty or makes no sense."""
    check(config, "sweep.")
    if not config.step and not config.width:
        raise UsageError(
            "sweep: the space is empty: give [[sweep.step]] tables, e.g. sparsity = [0.5, 0.7, "
            "0.9], or a limit such as --max-flash 100kB"
        )
    for number, step in enumerate(config.step):
        for structure in step.structure:
            for block_size in step.block_size or ("16x16",):
                parse(structure, block_size)
        if number and step.budget_axes:
            earlier = config.step[number - 1]
            if not earlier.budget_axes:
                raise UsageError(
                    f"sweep.step.{number}.{step.budget_axes[0]}: units go before weights do: put "
                    "this step first"
                )


def raise_without_ship(found: SweepAnswer) -> None:
    """Raise CheckFailed where no variant keeps the limits."""
    if found.ship is not None:
        return
    advice = "try more --trials, or smaller networks"
    if CPU_OPERATORS.label in found.nearest:
        advice = "accept operators on the CPU with --allow-cpu"
    raise CheckFailed(f"nothing that was tried keeps the limits: {found.nearest}; {advice}")


class _Sweep:
    """A sweep of an opened run.

    Attributes:
        question: limits and objectives.
        folder: its trials on disk.
    """

    def __init__(
        self, run: Run, config: SweepConfig, target: TargetConfig, request: SweepRequest
    ) -> None:
        self._run = run
        self._config = config
        self._request = request
        resolved = targets.resolve_config(target)
        self.question = _question(run, config, resolved, request.limits)
        self.folder = TrialFolder(run.space.root / FOLDER)
        is_higher = metric_of(run.record.metric).loss_sign < 0
        name = self.folder.study_name(config, target)
        self._study = Study(self.folder.root, name, config, target, is_higher)
        self._begun = time.monotonic()

    def baseline(self) -> TrialRecord:
        """Return the measured baseline."""
        record = TrialRecord(-1, BASELINE, chain="", family="", status=DONE)
        return measured(self._run, self._run.baseline, self.question.target, record)

    def tried(self) -> list[TrialRecord]:
        """Try chains until a limit is reached. Returns all trials, those of earlier calls too."""
        records = {record.number: record for record in self.folder.records()}
        shown = self._study.size or self._config.trials
        with self._request.workers(self._run) as workers:
            while True:
                self._fill(workers, len(records))
                if not workers.running:
                    return list(records.values())
                record = workers.wait()
                self._keep(record)
                records[record.number] = record
                left = self._time_left(records.values(), shown, workers.jobs)
                log.info("trial %d of %d: %s%s", len(records), shown, self._line(record), left)

    def verify(self, trials: Collection[TrialRecord]) -> None:
        """Raise TinypruneError where a variant is not as its trial has left it."""
        for trial in trials:
            if trial.is_done:
                compile_variant(self._run, self._run.require(trial.variant), self.question.target)

    def _fill(self, workers: Workers, done: int) -> None:
        """Begin trials while there is room for them and the limits allow."""
        while workers.has_room and self._may_begin(done + workers.running):
            asked = self._study.ask()
            if asked is None:
                return
            job = self._job(asked)
            log.info("%s begins: %s", job.variant, job.chain.text)
            workers.begin(job)

    def _may_begin(self, begun: int) -> bool:
        """Return whether one more than so many trials may begin."""
        most = self._study.size or self._config.trials
        hours = (time.monotonic() - self._begun) / 3600
        is_in_time = self._config.hours is None or hours < self._config.hours
        return begun < most and is_in_time

    def _job(self, asked: Asked) -> TrialJob:
        """Return a chain with names for its variants; equal prefixes have equal names."""
        return TrialJob(
            number=asked.number,
            chain=asked.chain,
            names=self.folder.names(asked.chain),
            target=self.question.target,
            halving=self._config.halving and self._has_siblings(),
        )

    def _has_siblings(self) -> bool:
        """Return whether there are trials that differ in how they train only."""
        axes: set[str] = set()
        for step in self._config.step:
            axes.update(step.axes)
        return not axes.isdisjoint(OF_TRAINING)

    def _keep(self, record: TrialRecord) -> None:
        """Keep a trial on disk and tell the sampler what came of it."""
        self.folder.keep(record)
        values = None
        if record.value is not None:
            values = [record.value, *(record.costs[name] for name in self.question.costs)]
        excess = self.question.excess(record.costs) if record.is_done else {}
        self._study.tell(record.number, values, excess)

    def _time_left(self, records: Collection[TrialRecord], most: int, jobs: int) -> str:
        """Return about how long the trials that are left take, as the end of a line."""
        trials = most - len(records)
        if not trials:
            return ""
        mean = sum(record.seconds for record in records) / len(records)
        return f", about {format_seconds(mean * trials / jobs)} left"

    def _line(self, record: TrialRecord) -> str:
        """Return what came of a trial in a line."""
        if record.value is None:
            return f"{record.variant}: {record.status}: {record.reason}"
        parts = [metric_of(self.question.metric).in_words(record.value)]
        for name in self.question.costs:
            quantity = QUANTITIES[name]
            parts.append(f"{quantity.label} {quantity.format(record.costs[name])}")
        return f"{record.variant}: {', '.join(parts)}, {record.seconds:.0f} s"


def _summarise(run: Run, target: NpuTarget) -> None:
    """Write the summary of the target, which reports and comparisons read."""
    try:
        compile_variants(run, [target])
    except TinypruneError as error:  # of a variant that is on no front
        log.warning("no summary of all variants: %s", error)


def _question(run: Run, config: SweepConfig, target: NpuTarget, limits: Budget) -> Question:
    """Return what a sweep is asked for; limited costs come before other objectives."""
    most = limits.by_quantity()
    costs = [COSTS[name].name for name in config.costs]
    limited_first = sorted(costs, key=lambda name: name not in most)
    return Question(target, run.record.metric, tuple(limited_first), most)


def _final(run: Run, name: str, folder: TrialFolder) -> FinalScore:
    """Return the score of a variant on test: the one that is kept, or else it is measured."""
    from tinyprune.stages.evaluate import evaluate_models
    from tinyprune.stages.model_reference import EvaluationRequest

    variant = run.require(name)
    graph = device_graph(run, variant)
    kept: Mapping[str, FinalScore] = {score.sha256: score for score in folder.final_scores()}
    if graph.sha256 in kept:
        log.info("%s: scored on test before, and not again", name)
        return kept[graph.sha256]
    metric = run.record.metric
    request = EvaluationRequest(split="test", metrics=(metric_of(metric).option,))
    scored = evaluate_models(run, [f"{name}:{run.record.forms[0]}"], request)
    [[scores]] = scored.models
    values = scores.values(metric)
    [estimate] = estimates(values[:, None])
    value = scores.whole.get(metric)
    low, high = None, None
    if estimate is not None:
        value, low, high = estimate.mean, estimate.low, estimate.high
    if value is None:
        raise CheckFailed(f"{name}: its {metric} is not defined on test")
    final = FinalScore(name, graph.sha256, value, low, high)
    folder.keep_final(final)
    return final
