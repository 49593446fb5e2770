"""One trial of a sweep: a chain of prunings, compiled and measured on dev."""

import logging
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinyprune.array_types import Float64Array
from tinyprune.artifacts.quantity import GATED
from tinyprune.artifacts.resources import NpuTarget
from tinyprune.artifacts.summary import VariantSummary
from tinyprune.artifacts.sweep import DONE, FAILED, FOLDER, STOPPED, TrialRecord
from tinyprune.config import TrainedPruning
from tinyprune.errors import CheckFailed, TinypruneError, reason
from tinyprune.metrics.metric import metric_of
from tinyprune.search.space import BASELINE_WIDTH, OF_TRAINING, Chain
from tinyprune.search.study import Halving, Hopeless
from tinyprune.stages.compile import compile_variant
from tinyprune.stages.export import device_graph
from tinyprune.stages.prune import prune_variant
from tinyprune.stages.run import Run
from tinyprune.stages.train import train_width, width_name
from tinyprune.storage.recorded import BASELINE
from tinyprune.storage.run_folder import Variant
from tinyprune.storage.writing import make_folder, write_arrays
from tinyprune.tflite.forward import of_int8

log = logging.getLogger(__name__)
SCORES = "scores"


@dataclass(frozen=True)
class TrialJob:
    """A trial that can be sent to another process.

    Attributes:
        number: of the trial.
        chain: its prunings.
        names: the variant of each of them.
        target: what the last one is compiled for.
        halving: whether it stops where others of its size are ahead.
    """

    number: int
    chain: Chain
    names: tuple[str, ...]
    target: NpuTarget
    halving: bool

    @property
    def variant(self) -> str:
        """Name of the variant of the whole chain."""
        if self.names:
            return self.names[-1]
        return BASELINE if self.chain.width == BASELINE_WIDTH else width_name(self.chain.width)

    def prefix(self, length: int) -> "TrialJob":
        """Return the first prunings of the chain as a job."""
        chain = replace(self.chain, steps=self.chain.steps[:length])
        return replace(self, chain=chain, names=self.names[:length], halving=False)

    def record(self, status: str, why: str = "") -> TrialRecord:
        """Return a record of the trial without any numbers."""
        return TrialRecord(
            number=self.number,
            variant=self.variant,
            chain=self.chain.text,
            family=self.chain.family("seed"),
            status=status,
            reason=why,
        )


def run_trial(run: Run, job: TrialJob) -> TrialRecord:
    """Prune along a chain, compile and measure what comes out; what fails is in the record.

    What other trials have done of the chain is not done again.
    """
    started = time.monotonic()
    try:
        variant = _pruned(run, job)
        record = measured(run, variant, job.target, job.record(DONE))
    except Hopeless as error:
        record = job.record(STOPPED, str(error))
    except Exception as error:  # whatever it is: the others go on
        log.debug("trial %d", job.number, exc_info=True)
        record = job.record(FAILED, _why(error))
    return replace(record, seconds=time.monotonic() - started)


def prepare_trial(run: Run, job: TrialJob) -> None:
    """Prune along a chain that others begin with; what fails is said by those."""
    try:
        _pruned(run, job)
    except Exception:  # whatever it is: it fails again where it is needed
        log.debug("the begin of trial %d", job.number, exc_info=True)


def measured(run: Run, variant: Variant, target: NpuTarget, record: TrialRecord) -> TrialRecord:
    """Compile a variant and score it item by item. Returns the record with its numbers."""
    summary = compile_variant(run, variant, target)
    _keep_scores(run, variant)
    return replace(
        record,
        value=summary.quality.metrics.get(run.record.metric),
        costs=_costs(summary),
    )


def scores_of(run: Run, variant: str) -> Float64Array:
    """Return the metric of every item of dev (n,), as it was measured.

    Scores that were deleted are measured again. Raises TinypruneError where they cannot be read.
    """
    path = _scores_path(run, variant)
    if not path.exists():
        _keep_scores(run, run.require(variant))
    try:
        with np.load(path) as arrays:
            values: Float64Array = arrays["values"]
            return values
    except (OSError, EOFError, KeyError, ValueError, IndexError, zipfile.BadZipFile) as error:
        raise TinypruneError(
            f"{path} cannot be read ({type(error).__name__}): delete it and run the same command "
            "again"
        ) from error


def _pruned(run: Run, job: TrialJob) -> Variant:
    """Return the variant of a chain, made as far as it is not there."""
    variant = _beginning(run, job.chain.width)
    for pruning, name in zip(job.chain.steps, job.names, strict=True):
        config = replace(pruning, base=variant.name, name=name)
        with _alone(run, name):
            variant = _variant(run, config, job)
    return variant


def _beginning(run: Run, width: float) -> Variant:
    """Return the variant that a chain starts from: the baseline, or it in another width."""
    if width == BASELINE_WIDTH:
        return run.baseline
    with _alone(run, width_name(width)):
        return train_width(run, width)


def _variant(run: Run, config: TrainedPruning, job: TrialJob) -> Variant:
    """Return the variant of one pruning; one that misses its budget is measured like any other."""
    variant = run.space.variant(config.variant)
    halving = None
    if job.halving and config.variant == job.variant and not variant.is_done("train"):
        family = job.chain.family(*OF_TRAINING)
        is_higher = metric_of(run.record.metric).loss_sign < 0
        halving = Halving(run.space.root / FOLDER, family, job.variant, is_higher)
    try:
        variant = prune_variant(run, config, watch=halving)
    except CheckFailed:
        if not variant.is_done("export"):
            raise
    if halving is not None:
        halving.finished()
    return variant


@contextmanager
def _alone(run: Run, name: str) -> Iterator[None]:
    """Keep a variant to this process: others that need it wait until it is made."""
    from filelock import FileLock

    folder = run.space.root / FOLDER / "locks"
    make_folder(folder)
    with FileLock(folder / f"{name}.lock"):
        yield


def _keep_scores(run: Run, variant: Variant) -> None:
    """Score the graph that the device runs on dev, item by item, and keep that."""
    graph = device_graph(run, variant)
    task = run.task
    network = of_int8(variant.folder / graph.path)
    scores = task.scores(network, task.forms[0].name, "dev", (task.metric,), variant.name)
    values = scores.values(task.metric)
    if not np.isfinite(values).any():  # of a set as a whole only
        values = values[:0]
    path = _scores_path(run, variant.name)
    make_folder(path.parent)
    write_arrays(path, {"values": values})


def _scores_path(run: Run, variant: str) -> Path:
    return run.space.root / FOLDER / SCORES / f"{variant}.npz"


def _costs(summary: VariantSummary) -> dict[str, float]:
    """Return name of a quantity -> what a variant takes of it."""
    return {quantity.name: float(quantity.of(summary)) for quantity in GATED}


def _why(error: Exception) -> str:
    """Return the line of an error."""
    if isinstance(error, TinypruneError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return reason(error)
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
