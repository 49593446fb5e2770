"""The fit loop: epochs of compiled steps, a score on dev, checkpoints for a killed run."""

import csv
import io
import json
import logging
import math
import zipfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from tinyprune.compress.compiled import compiled
from tinyprune.compress.grids import singular_operations
from tinyprune.errors import TinypruneError
from tinyprune.metrics.metric import metric_of
from tinyprune.storage.records import write_text
from tinyprune.storage.run_folder import BEST, CHECKPOINT, HISTORY, Variant
from tinyprune.storage.writing import write_arrays
from tinyprune.training.compression import Compression, Replacement
from tinyprune.training.optimizer import Adam
from tinyprune.training.progress import Progress

log = logging.getLogger(__name__)
Batch = tuple[np.ndarray, ...]
#: (epoch from 1, score on dev); what it raises ends the training, which can be continued.
Watch = Callable[[int, float], None]
CLIP_NORM = 5.0
WARM_UP = 0.02
WARM_UP_STEPS = 20  # at least: a high learning rate from the first step kills a small network


class Learner(Protocol):
    """The loss of a batch, and how good a model is. Attributes: metric, the name of the score."""

    metric: str

    def loss(self, model: keras.Model, batch: tuple[tf.Tensor, ...]) -> tf.Tensor:
        """Return the scalar loss of a batch. Part of the compiled step."""

    def batches(self, epoch: int) -> Iterable[Batch]:
        """Return the batches of an epoch; the same epoch gives the same batches."""

    def steps_per_epoch(self) -> int:
        """Return the number of batches of an epoch."""

    def score(self, model: keras.Model) -> float:
        """Return the quality on dev, in the metric; whether higher is better, the metric knows."""


@dataclass(frozen=True)
class EpochRecord:
    """One line of ``history.csv``.

    Attributes:
        epoch: from 1.
        step: optimizer steps done after it.
        loss: mean over its steps.
        score: on dev after it.
        learning_rate: at its end.
        seconds: it took, with the score.
    """

    epoch: int
    step: int
    loss: float
    score: float
    learning_rate: float
    seconds: float


def learning_rate(peak: float, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate of ``steps`` optimizer steps.

    It warms up linearly over 2 % of the steps, 20 at least, and then falls to a hundredth of the
    peak by a cosine.
    """
    warm = max(1, min(WARM_UP_STEPS, steps // 4), int(WARM_UP * steps))
    return keras.optimizers.schedules.CosineDecay(
        peak / 100, max(1, steps - warm), alpha=0.01, warmup_target=peak, warmup_steps=warm
    )


class Fit:
    """One training of one model, resumable.

    Attributes:
        model: the model that is trained in place; the compression may replace it.
        learner: loss and score.
        epochs: how many there are in all.
        steps: optimizer steps in all.
        folder: where ``checkpoint.npz``, ``best.npz`` and ``history.csv`` go.
        compression: acts between the steps.
        history: the epochs so far.
        best: score of the best epoch so far.
    """

    def __init__(
        self,
        model: keras.Model,
        learner: Learner,
        epochs: int,
        peak: float,
        folder: Path,
        compression: Compression | None = None,
        watch: Watch | None = None,
    ) -> None:
        """``peak``: the learning rate's. ``watch``: is told of each epoch when it is kept."""
        self.learner = learner
        self.epochs = epochs
        self.folder = folder
        self.compression = compression or Compression()
        self.steps = epochs * learner.steps_per_epoch()
        self.history: list[EpochRecord] = []
        self.best: float | None = None
        self._peak = peak
        self._watch = watch
        self._claim = Variant(folder.name, folder).claim_sha256()
        self._start_with(model)

    @property
    def best_score(self) -> float:
        """The score of the best epoch; NaN before there is one."""
        if self.best is None:
            return math.nan
        return self.best

    def run(self, title: str) -> None:
        """Train what is left, then load the weights of the best epoch into the model.

        ``title``: name in the progress line. Raises TinypruneError where the loss is not finite any
        more, or no epoch has a score.
        """
        self._resume()
        steps = self.learner.steps_per_epoch()
        with Progress(
            title, self.learner.metric, self.epochs, steps, len(self.history)
        ) as progress:
            progress.begin(_learned(self.model))
            for epoch in range(len(self.history), self.epochs):
                record = self._epoch(epoch, progress)
                self.history.append(record)
                self._keep_if_best(record)
                best = self.best  # a replacement forgets it
                if epoch + 1 < self.epochs:
                    self._compress(epoch + 1)
                self._save_checkpoint()
                progress.epoch_done(epoch, record, best, self.compression.note())
                if self._watch:
                    self._watch(record.epoch, record.score)
        if not (self.folder / BEST).exists():
            raise TinypruneError(
                "no epoch has a score on dev: is it silent? or try a smaller --learning-rate"
            )
        self.load_best()

    def load_best(self) -> None:
        """Load the weights of the best epoch into the model. Raises TinypruneError without one."""
        self._load(BEST, self._best_state())

    def _epoch(self, epoch: int, progress: Progress) -> EpochRecord:
        """Train one epoch, from 0, and score it."""
        per_epoch = self.learner.steps_per_epoch()
        losses: list[float] = []
        started = progress.clock()
        for number, batch in enumerate(_ahead(self.learner.batches(epoch))):
            self.compression.before_step(epoch * per_epoch + number)
            losses.append(float(self._step(batch)))
            if not math.isfinite(losses[-1]):
                raise self._not_finite(epoch)
            self.compression.after_step(losses[-1])
            progress.step(epoch, number + 1, losses[-1])
        score = self.learner.score(self.model)
        return EpochRecord(
            epoch=epoch + 1,
            step=(epoch + 1) * per_epoch,
            loss=float(np.mean(losses)),
            score=score,
            learning_rate=float(self.optimizer.learning_rate.numpy()),
            seconds=progress.clock() - started,
        )

    def _not_finite(self, epoch: int) -> TinypruneError:
        kept = ""
        if epoch:
            kept = (
                f"; the state after epoch {epoch} is kept in {self.folder}: "
                "choose another --name or --run, or delete that folder"
            )
        advice = "try a smaller --learning-rate"
        singular = singular_operations(self.model)
        if singular:
            advice += (
                f", or a larger number beside the arguments of {', '.join(singular)}: "
                "less than half a step of the int8 grid is 0"
            )
        return TinypruneError(f"the loss of epoch {epoch + 1} is not finite: {advice}{kept}")

    def _train_step(self, batch: tuple[tf.Tensor, ...]) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = self.learner.loss(self.model, batch)
            total = loss + self.compression.added_loss() + sum(self.model.losses)
        variables = self.model.trainable_variables
        learned = self.compression.learned
        gradients = tape.gradient(total, [*(variable.value for variable in variables), *learned])
        self.compression.observe([*variables, *learned], gradients)
        self.optimizer.apply(gradients[: len(variables)], variables)
        return loss

    def _keep_if_best(self, record: EpochRecord) -> None:
        """Save the weights of an epoch that is better than those before."""
        metric = metric_of(self.learner.metric)
        is_best = metric.is_better(record.score, self.best)
        if is_best and self.compression.may_be_best(record.step):
            self.best = record.score
            self._save(BEST, self._best_state(), {})

    def _compress(self, epoch: int) -> None:
        """Let the compression act after an epoch, from 1; it may replace the model."""
        replacement = self.compression.after_epoch(epoch)
        if replacement is not None:
            self._replace(replacement)

    def _start_with(self, model: keras.Model) -> None:
        """Train this model from now on, with an optimizer that knows nothing of it."""
        self.model = model
        self.optimizer = Adam(learning_rate(self._peak, self.steps), global_clipnorm=CLIP_NORM)
        self.optimizer.build(model.trainable_variables)
        self._step = compiled(self._train_step)

    def _replace(self, replacement: Replacement) -> None:
        """Go on with another model.

        The best epoch so far was one of the old model and counts no more.
        """
        old = self.optimizer
        layers = {id(w): layer for layer in self.model.layers for w in layer.weights}
        variables = self.model.trainable_variables
        self._start_with(replacement.model)
        self.optimizer.iterations.assign(old.iterations)
        for slots in ("_momentums", "_velocities"):
            triples = zip(
                variables, getattr(old, slots), getattr(self.optimizer, slots), strict=True
            )
            for variable, before, after in triples:
                layer = layers[id(variable)]
                after.assign(replacement.slots(layer, variable.name, before.numpy()))
        self.best = None
        (self.folder / BEST).unlink(missing_ok=True)

    def _best_state(self) -> list[Any]:
        return [*self.model.variables, *self.compression.kept]

    def _state(self) -> list[Any]:
        return [*self.model.variables, *self.optimizer.variables, *self.compression.variables]

    def _save_checkpoint(self) -> None:
        """Save everything that a killed training needs, and the history for people."""
        state = {
            "best": self.best,
            "history": [asdict(record) for record in self.history],
            "course": self.compression.state(),
            "claim_sha256": self._claim,
        }
        self._save(CHECKPOINT, self._state(), state)
        self._write_history()

    def _write_history(self) -> None:
        write_text(self.folder / HISTORY, _csv(self.history, self.learner.metric))

    def _resume(self) -> None:
        """Go on from the checkpoint, if there is one."""
        if not (self.folder / CHECKPOINT).exists():
            self._begin()
            return
        _, state = self._read(CHECKPOINT)
        if state.get("claim_sha256", "") not in ("", self._claim):
            log.warning("%s is of another configuration: begun anew", self.folder / CHECKPOINT)
            self._begin()
            return
        model = self.compression.restore(state.get("course", {}))
        if model is not None:
            self._start_with(model)
        self._load(CHECKPOINT, self._state())
        self.compression.resumed()
        self.history = [EpochRecord(**record) for record in state["history"]]
        self._write_history()  # a kill behind the checkpoint leaves it an epoch short
        # A kill between a replacement and its checkpoint leaves no best epoch.
        self.best = state["best"] if (self.folder / BEST).exists() else None

    def _begin(self) -> None:
        """Remove the best epoch of another training, which this one begins without."""
        (self.folder / BEST).unlink(missing_ok=True)

    def _save(self, name: str, variables: list[Any], state: dict[str, Any]) -> None:
        """Write variables and a JSON state as one file that is whole or absent."""
        arrays = {
            f"v{number:04d}": np.asarray(variable) for number, variable in enumerate(variables)
        }
        write_arrays(self.folder / name, arrays | {"state": np.array(json.dumps(state))})

    def _load(self, name: str, variables: list[Any]) -> None:
        values, _ = self._read(name)
        if [value.shape for value in values] != [tuple(variable.shape) for variable in variables]:
            raise self._mismatch(name, "its variables have other shapes")
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    def _read(self, name: str) -> tuple[list[np.ndarray], dict[str, Any]]:
        """The variables and the state in a file."""
        try:
            with np.load(self.folder / name) as arrays:
                values = [arrays[f"v{number:04d}"] for number in range(len(arrays.files) - 1)]
                return values, json.loads(str(arrays["state"]))
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise self._mismatch(name, error) from error

    def _mismatch(self, name: str, why: object) -> TinypruneError:
        return TinypruneError(
            f"{self.folder / name} does not fit this model ({why}); delete it and run again"
        )


def _ahead(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Yield the batches, each made in a thread while the one before is trained on."""
    with ThreadPoolExecutor(1) as pool:
        source = iter(batches)
        coming = pool.submit(next, source, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, source, None)
            yield batch


def _learned(model: Any) -> int:
    """Return how many numbers are learned: masks, grids and averages are none."""
    return sum(math.prod(weights.shape) for weights in model.trainable_weights)


def _csv(history: list[EpochRecord], metric: str) -> str:
    text = io.StringIO()
    columns = list(EpochRecord.__dataclass_fields__)
    writer = csv.writer(text)
    writer.writerow([f"dev_{metric}" if name == "score" else name for name in columns])
    writer.writerows([getattr(record, name) for name in columns] for record in history)
    return text.getvalue()
