"""Learning from examples: a loss on training examples, a metric on dev."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tinyprune.data.examples import ExampleDataset
from tinyprune.training.criteria import Criterion, answers
from tinyprune.training.example_learner import ExampleLearner

#: (targets, outputs) of n examples -> their score.
Score = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Aim:
    """The aim of a learning: a metric. Attributes: metric, the name of the score; score, on dev."""

    metric: str
    score: Score


class LearnExamples(ExampleLearner):
    """Learning of one output, or of all together.

    Attributes:
        metric: name of the score.
    """

    def __init__(
        self,
        dataset: ExampleDataset,
        aim: Aim,
        criterion: Criterion,
        batch_size: int,
        seed: int = 0,
        teacher: keras.Model | None = None,
    ) -> None:
        super().__init__(dataset, batch_size, seed, teacher)
        self.metric = aim.metric
        self.criterion = criterion
        self._score = aim.score

    def loss(self, model: keras.Model, batch: tuple[Any, ...]) -> tf.Tensor:
        """Return the mean loss of the examples, plus that towards the outputs of the teacher."""
        inputs, targets = batch
        answer = answers(model, model(inputs, training=True))
        loss = self.criterion.loss(targets, answer)
        if self.teacher is not None:
            taught = answers(self.teacher, self.teacher(inputs, training=False))
            loss += self.criterion.imitation(taught, answer)
        return loss

    def score(self, model: keras.Model) -> float:
        """Return the metric on dev; NaN where it is undefined."""
        inputs, targets = self._dev
        return self._score(targets, self.outputs_of(model, inputs))

    @cached_property
    def _dev(self) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of dev."""
        return self.dataset.examples("dev")
