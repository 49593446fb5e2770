"""What pruning one layer alone costs in quality, layer by layer, without training."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tinyprune.artifacts.sensitivity import Sensitivity, SensitivityPoint
from tinyprune.config import MagnitudePruning, check
from tinyprune.config.pruning import DEFAULT_IMPORTANCE
from tinyprune.errors import TinypruneError, UsageError
from tinyprune.metrics.metric import metric_of
from tinyprune.metrics.scores import quality
from tinyprune.progress import track
from tinyprune.registry import IMPORTANCES
from tinyprune.sparsity.importance import FROM_GRADIENTS
from tinyprune.sparsity.structure import DEFAULT_BLOCK_SIZE, parse
from tinyprune.stages.run import Run, open_run
from tinyprune.storage.digests import read_sealed_as, write_sealed
from tinyprune.storage.recorded import BASELINE
from tinyprune.storage.run_folder import Variant

if TYPE_CHECKING:
    from tinyprune.compress.sensitivity import LayerPruner, Trial
    from tinyprune.tasks.task import Task

log = logging.getLogger(__name__)
SCHEMA = 1
FOLDER = "sensitivity"
LEVELS = (0.5, 0.7, 0.9)
STRUCTURES = ("weight", "block", "unit")


@dataclass(frozen=True)
class SensitivityRequest:
    """The points that are measured.

    Attributes:
        structures: by which each layer is pruned.
        levels: sparsities; n:m has its own.
        block_size: RxC.
        importance: name of an importance that needs no gradients; None: the default.
    """

    structures: tuple[str, ...] = STRUCTURES
    levels: tuple[float, ...] = LEVELS
    block_size: str = DEFAULT_BLOCK_SIZE
    importance: str | None = None

    def prunings(self) -> list[MagnitudePruning]:
        """Return the pruning of each structure to each level.

        Raises UsageError for one that makes no sense.
        """
        if self.importance in FROM_GRADIENTS:
            raise UsageError(
                f"importance '{self.importance}' needs training, a sensitivity has none: "
                f"expected one of: {', '.join(sorted(set(IMPORTANCES) - FROM_GRADIENTS))}"
            )
        found = []
        for structure in self.structures:
            parsed = parse(structure, self.block_size)
            if parsed.replaces_layers:
                raise UsageError(
                    f"structure '{structure}' makes other layers, a sensitivity masks weights: "
                    f"`tinyprune prune --structure {structure} --show-plan` says what each layer "
                    "keeps of its variance"
                )
            is_fixed = parsed.fixed_sparsity is not None
            for level in (None,) if is_fixed else self.levels:
                pruning = MagnitudePruning(
                    structure=structure,
                    sparsity=level,
                    block_size=self.block_size,
                    # No training goes before it, so nothing is ranked by gradients.
                    importance=self.importance or DEFAULT_IMPORTANCE,
                    scope="layer",
                    schedule="one-shot",
                    round_to=1,
                )
                check(pruning)
                found.append(pruning)
        return found


def measure_sensitivity(
    run: Path | Run, variant: str | None, request: SensitivityRequest
) -> Sensitivity:
    """Prune each layer alone, and measure the metric of the task on dev.

    The network has the int8 grids that an export gives it, and learns nothing. Points that were
    measured before, of the same network, are taken from the record in the run folder.

    Raises UsageError for a variant without a Keras model, and for a request that makes no sense.
    """
    prunings = request.prunings()
    with open_run(run) as opened:
        chosen = opened.require_network(variant or BASELINE)
        record = _Record(opened, chosen, prunings[0].settled_importance)
        return _measure(opened, chosen, prunings, record)


def _measure(
    run: Run, variant: Variant, prunings: Sequence[MagnitudePruning], record: "_Record"
) -> Sensitivity:
    """Measure what the record does not have. Returns the points that were asked for."""
    from tinyprune.compress.fold import fold
    from tinyprune.compress.sensitivity import LayerPruner

    task = run.task
    pruner = LayerPruner(fold(run.load_network(variant)), task.calibration())
    score = _Score(task, pruner)
    record.begin(score)
    asked: list[tuple[Trial, SensitivityPoint]] = []
    skipped: dict[str, dict[str, str]] = {}
    for pruning in prunings:
        trials, reasons = pruner.trials(pruning)
        label = parse(pruning.structure, pruning.block_size or DEFAULT_BLOCK_SIZE).label
        skipped[label] = reasons
        for trial in trials:
            sparsity = pruning.final_sparsity
            asked.append((trial, SensitivityPoint(trial.layers, label, sparsity)))
    points = tuple(track(_points(asked, pruner, score, record), "sensitivity", len(asked)))
    return replace(record.known, points=points, skipped=skipped)


def _points(
    asked: "Sequence[tuple[Trial, SensitivityPoint]]",
    pruner: "LayerPruner",
    score: "_Score",
    record: "_Record",
) -> Iterator[SensitivityPoint]:
    """Yield the points with their values; each new one is on disk before it is yielded."""
    known = {point.key: point for point in record.known.points}
    for trial, point in asked:
        found = known.get(point.key)
        if found is None:
            pruner.prune(trial)
            found = replace(point, value=score())
            record.add(found)
        yield found


class _Score:
    """The metric on dev of the network of a pruner, as it is pruned at the time."""

    def __init__(self, task: "Task", pruner: "LayerPruner") -> None:
        from tinyprune.export.forward import of_keras

        self._task = task
        self._forward = of_keras(pruner.prepared)

    def __call__(self) -> float | None:
        """Return it; None where it is not defined."""
        scores = self._task.scores(self._forward, "fake-quantized", "dev", (self._task.metric,))
        return quality(scores).metrics.get(self._task.metric)


class _Record:
    """The record of a variant in the run folder, which grows point by point.

    Attributes:
        known: every point that was ever measured.
    """

    def __init__(self, run: Run, variant: Variant, importance: str) -> None:
        self._path = run.space.root / FOLDER / f"{variant.name}-{importance}.json"
        digest = variant.output_sha256("train", "model.keras")
        metric = run.record.metric
        self.known = Sensitivity(SCHEMA, variant.name, digest, importance, metric)
        kept = self._kept()
        if kept is not None and kept.model_sha256 == digest:
            self.known = kept
            log.info("%s: %d points are measured already", variant.name, len(kept.points))

    def begin(self, score: _Score) -> None:
        """Measure the whole network, if it is not measured."""
        if self.known.dense is None:
            self.known = replace(self.known, dense=score())
        if self.known.dense is None:
            raise UsageError(f"{self.known.variant}: its {self.known.metric} is not defined on dev")
        shown = metric_of(self.known.metric).in_words(self.known.dense)
        log.info("%s: dev %s with int8 grids", self.known.variant, shown)

    def add(self, point: SensitivityPoint) -> None:
        """Keep a point on disk."""
        self.known = replace(self.known, points=(*self.known.points, point))
        self._path.parent.mkdir(exist_ok=True)
        write_sealed(self._path, self.known)

    def _kept(self) -> Sensitivity | None:
        """Return the record on disk; None where there is none, or it cannot be read."""
        if not self._path.exists():
            return None
        try:
            return read_sealed_as(self._path, Sensitivity, "it is measured again")
        except TinypruneError as error:
            log.warning("%s", error)
            return None
