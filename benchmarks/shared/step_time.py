"""Time per training step, of ``model.fit``, of a bare compiled step and of our own loop, measured in the same way."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from benchmarks.shared.report import Case
from benchmarks.shared.speech_workload import BATCH, WARM, arrays
from tinyprune.training.compression import Compression
from tinyprune.training.fit import Fit, Learner

BeforeStep = Callable[[int], None]
Arrays = tuple[np.ndarray, np.ndarray]


def _nothing(step: int) -> None:
    pass


class Spent(NamedTuple):
    """Mean seconds of a step. Attributes: wall; cpu, of all threads together, which other programs disturb less."""

    wall: float
    cpu: float


def apart(samples: dict[str, list[Spent]]) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Case -> wall-clock seconds, and case -> CPU seconds."""
    walls = {what: [spent.wall for spent in values] for what, values in samples.items()}
    return walls, {what: [spent.cpu for spent in values] for what, values in samples.items()}


def milliseconds(walls: dict[str, list[float]], cpu: dict[str, list[float]]) -> list[Case]:
    """Both kinds of time as cases."""
    both = (("ms/step", walls), ("CPU ms/step", cpu))
    return [
        Case(what, unit, [1000 * s for s in values])
        for unit, part in both
        for what, values in part.items()
    ]


class Stamps:
    """The times at which steps begin. Called with the number of a step, before it."""

    def __init__(self, before_step: BeforeStep = _nothing) -> None:
        self.before_step = before_step
        self.times: list[Spent] = []

    def __call__(self, step: int) -> None:
        """Note the time; what is done before a step counts as part of it."""
        self.times.append(Spent(time.perf_counter(), time.process_time()))
        self.before_step(step)

    def spent(self) -> Spent:
        """Means over the steps that count: all but the first ones and the last."""
        begin, end, steps = self.times[WARM], self.times[-1], len(self.times) - 1 - WARM
        return Spent(*((b - a) / steps for a, b in zip(begin, end, strict=True)))


def model_fit(
    model: keras.Model,
    before_step: BeforeStep = _nothing,
    given: Arrays | None = None,
    loss: str = "mse",
) -> Callable[[], Spent]:
    """A case: a step of ``model.fit`` with Adam on fixed arrays, by default those of speech with MSE."""
    features, targets = given or arrays()
    model.compile(keras.optimizers.Adam(1e-3), loss)

    def case() -> Spent:
        stamps = Stamps(before_step)
        begin = keras.callbacks.LambdaCallback(
            on_train_batch_begin=lambda batch, logs: stamps(batch)
        )
        model.fit(features, targets, BATCH, epochs=1, shuffle=False, verbose=0, callbacks=[begin])
        return stamps.spent()

    return case


def compiled_step(model: keras.Model, learner: Learner) -> Callable[[], Spent]:
    """A case: a bare compiled step with Adam: no loop around it, no gradient clipped, no callback."""
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(batch: tuple[tf.Tensor, ...]) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = learner.loss(model, batch)
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)
        return loss

    def case() -> Spent:
        stamps = Stamps()
        for number, batch in enumerate(learner.batches(0)):
            stamps(number)
            float(step(batch))
        return stamps.spent()

    return case


def our_loop(
    model: keras.Model,
    learner: Learner,
    before_step: BeforeStep | None = None,
    compression: Compression | None = None,
) -> Callable[[], Spent]:
    """A case: a step of the training loop of tinyprune, everything in it; by default before a step the compression's."""
    compression = compression or Compression()
    follow = before_step or compression.before_step

    def case() -> Spent:
        compression.before_step = stamps = Stamps(follow)
        with tempfile.TemporaryDirectory() as folder:
            Fit(model, learner, 1, 1e-3, Path(folder), compression).run("benchmark")
        return stamps.spent()

    return case
