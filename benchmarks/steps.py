"""Time per training step, of ``model.fit`` and of our own loop, measured in the same way."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras

from benchmarks.common import Case
from benchmarks.workloads import BATCH, STEPS, WARM, arrays
from tinyprune.training.denoise import Denoise
from tinyprune.training.fit import Fit

BeforeStep = Callable[[int], None]


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
    return [Case(what, unit, [1000 * s for s in values]) for unit, part in both for what, values in part.items()]


class Stamps:
    """The times at which steps begin. Called with the number of a step, before it."""

    def __init__(self, before_step: BeforeStep) -> None:
        self.before_step = before_step
        self.times: list[Spent] = []

    def __call__(self, step: int) -> None:
        """Note the time; what is done before a step counts as part of it."""
        self.times.append(Spent(time.perf_counter(), time.process_time()))
        self.before_step(step)

    def spent(self) -> Spent:
        """Means over the steps that count."""
        begin, end = self.times[WARM], self.times[WARM + STEPS]
        return Spent(*((b - a) / STEPS for a, b in zip(begin, end, strict=True)))


def model_fit(model: keras.Model, before_step: BeforeStep = _nothing) -> Callable[[], Spent]:
    """A case: a step of ``model.fit`` with Adam and MSE on fixed arrays."""
    features, targets = arrays()
    model.compile(keras.optimizers.Adam(1e-3), "mse")

    def case() -> float:
        stamps = Stamps(before_step)
        begin = keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: stamps(batch))
        model.fit(features, targets, BATCH, epochs=1, shuffle=False, verbose=0, callbacks=[begin])
        return stamps.spent()

    return case


def our_loop(model: keras.Model, task: Denoise, before_step: BeforeStep = _nothing) -> Callable[[], Spent]:
    """A case: a step of the training loop of tinyprune, everything in it."""

    def case() -> float:
        stamps = Stamps(before_step)
        with tempfile.TemporaryDirectory() as folder:
            Fit(model, task, 1, 1e-3, Path(folder)).run("benchmark", before_step=stamps)
        return stamps.spent()

    return case
