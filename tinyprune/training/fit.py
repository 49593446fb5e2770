"""The fit loop: epochs of compiled steps, a score on dev, checkpoints that a killed run continues from."""

import csv
import io
import json
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

from tinyprune.errors import TinypruneError
from tinyprune.records import write_text
from tinyprune.training.progress import Progress
from tinyprune.writing import write_arrays

Batch = tuple[np.ndarray, ...]
Observe = Callable[[list[Any], list[tf.Tensor]], None]
CLIP_NORM = 5.0
WARM_UP = 0.02
WARM_UP_STEPS = 20  # at least: a high learning rate from the first step kills a small network


class Learner(Protocol):
    """What a network learns: the loss of a batch, and how good a model is. Attributes: metric, what the score is."""

    metric: str

    def loss(self, model: keras.Model, batch: tuple[tf.Tensor, ...]) -> tf.Tensor:
        """Scalar loss of a batch; part of the compiled step."""

    def batches(self, epoch: int) -> Iterable[Batch]:
        """The batches of an epoch; the same epoch gives the same batches."""

    def steps_per_epoch(self) -> int:
        """Number of batches of an epoch."""

    def score(self, model: keras.Model) -> float:
        """Quality on dev, higher is better."""


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
    """Linear warm-up over 2 % of the steps, 20 at least, then a cosine down to a hundredth of the peak."""
    warm = max(1, min(WARM_UP_STEPS, steps // 4), int(WARM_UP * steps))
    return keras.optimizers.schedules.CosineDecay(
        peak / 100, max(1, steps - warm), alpha=0.01, warmup_target=peak, warmup_steps=warm
    )


class Fit:
    """One training of one model, resumable.

    Attributes:
        model: the model that is trained in place.
        learner: what it learns.
        epochs: how many there are in all.
        folder: where ``checkpoint.npz``, ``best.npz`` and ``history.csv`` go.
        history: what is done so far.
    """

    def __init__(
        self,
        model: keras.Model,
        learner: Learner,
        epochs: int,
        peak: float,
        folder: Path,
        observe: Observe | None = None,
    ) -> None:
        """``peak``: the learning rate's; ``observe``: is shown variables and gradients in each compiled step."""
        self.model, self.learner, self.epochs, self.folder = model, learner, epochs, folder
        self.steps = epochs * learner.steps_per_epoch()
        self.optimizer = keras.optimizers.Adam(learning_rate(peak, self.steps), global_clipnorm=CLIP_NORM)
        self.optimizer.build(model.trainable_variables)
        self.history: list[EpochRecord] = []
        self.best: float | None = None
        self._observe = observe
        self._step = tf.function(self._train_step, reduce_retracing=True)

    def run(
        self,
        title: str,
        before_step: Callable[[int], None] = lambda step: None,
        counts: Callable[[int], bool] = lambda step: True,
    ) -> None:
        """Train what is left, then load the weights of the best epoch into the model.

        Args:
            title: what the progress line calls it.
            before_step: called with the number of the optimizer step (from 0) before it is taken.
            counts: whether the epoch that ended after that many steps may be the best one.
        """
        self._resume()
        steps = self.learner.steps_per_epoch()
        with Progress(title, self.learner.metric, self.epochs, steps, len(self.history)) as progress:
            for epoch in range(len(self.history), self.epochs):
                record = self._epoch(epoch, progress, before_step)
                self.history.append(record)
                if counts(record.step) and record.score > (-math.inf if self.best is None else self.best):
                    self.best = record.score
                    self._save("best.npz", self.model.variables, {})
                self._save(
                    "checkpoint.npz", self._state(), {"best": self.best, "history": list(map(asdict, self.history))}
                )
                write_text(self.folder / "history.csv", _csv(self.history, self.learner.metric))
                progress.epoch_done(epoch, record, self.best)
        if not (self.folder / "best.npz").exists():
            raise TinypruneError("no epoch has a score on dev: is it silent? or try a smaller --learning-rate")
        self._load("best.npz", self.model.variables)

    def _epoch(self, epoch: int, progress: Progress, before_step: Callable[[int], None]) -> EpochRecord:
        per_epoch, losses = self.learner.steps_per_epoch(), []
        started = progress.clock()
        for number, batch in enumerate(_ahead(self.learner.batches(epoch))):
            before_step(epoch * per_epoch + number)
            losses.append(float(self._step(batch)))
            progress.step(epoch, number + 1, losses[-1])
        loss = float(np.mean(losses))
        if not math.isfinite(loss):
            raise TinypruneError(f"the loss of epoch {epoch + 1} is not finite: try a smaller --learning-rate")
        step, score = (epoch + 1) * per_epoch, self.learner.score(self.model)
        rate = float(self.optimizer.learning_rate.numpy())
        return EpochRecord(epoch + 1, step, loss, score, rate, progress.clock() - started)

    def _train_step(self, batch: tuple[tf.Tensor, ...]) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = self.learner.loss(self.model, batch)
        variables = self.model.trainable_variables
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        if self._observe:
            self._observe(variables, gradients)
        self.optimizer.apply(gradients, variables)
        return loss

    def _state(self) -> list[Any]:
        return [*self.model.variables, *self.optimizer.variables]

    def _resume(self) -> None:
        if (self.folder / "checkpoint.npz").exists():
            state = self._load("checkpoint.npz", self._state())
            self.best, self.history = state["best"], [EpochRecord(**record) for record in state["history"]]

    def _save(self, name: str, variables: list[Any], state: dict[str, Any]) -> None:
        """Write variables and a JSON state as one file that is whole or absent."""
        arrays = {f"v{number:04d}": np.asarray(variable) for number, variable in enumerate(variables)}
        write_arrays(self.folder / name, arrays | {"state": np.array(json.dumps(state))})

    def _load(self, name: str, variables: list[Any]) -> dict[str, Any]:
        try:
            with np.load(self.folder / name) as arrays:
                values = [arrays[f"v{number:04d}"] for number in range(len(arrays.files) - 1)]
                state: dict[str, Any] = json.loads(str(arrays["state"]))
            if [value.shape for value in values] != [tuple(variable.shape) for variable in variables]:
                raise ValueError("its variables have other shapes")
        except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise TinypruneError(
                f"{self.folder / name} does not fit this model ({error}); delete it and run again"
            ) from error
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return state


def _ahead(batches: Iterable[Batch]) -> Iterator[Batch]:
    """The batches, each made in a thread while the one before is trained on."""
    with ThreadPoolExecutor(1) as pool:
        source = iter(batches)
        coming = pool.submit(next, source, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, source, None)
            yield batch


def _csv(history: list[EpochRecord], metric: str) -> str:
    text = io.StringIO()
    columns = list(EpochRecord.__dataclass_fields__)
    writer = csv.writer(text)
    writer.writerow([f"dev_{metric}" if name == "score" else name for name in columns])
    writer.writerows([getattr(record, name) for name in columns] for record in history)
    return text.getvalue()
