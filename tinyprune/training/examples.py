"""Learning of labels or numbers from examples: a loss on training examples, a metric on dev."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np
import tensorflow as tf

from tinyprune.data.examples import ExampleDataset
from tinyprune.training.endings import Ending, ending
from tinyprune.training.example_learner import ExampleLearner
from tinyprune.training.example_losses import ExampleLoss

#: (targets, outputs) of n examples -> their score.
Score = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Aim:
    """The aim of a learning.

    Attributes:
        metric: name of the score. score: on dev.
        loss: of (targets, outputs), of each example.
        imitation: the same of (outputs of a teacher, outputs).
        activation: what outputs of a network without it are put through before the loss; None:
            nothing.
    """

    metric: str
    score: Score
    loss: ExampleLoss
    imitation: ExampleLoss
    activation: Ending | None = None


class LearnExamples(ExampleLearner):
    """Learning from examples.

    Attributes:
        metric: name of the score.
    """

    def __init__(
        self,
        dataset: ExampleDataset,
        aim: Aim,
        batch_size: int,
        seed: int = 0,
        teacher: keras.Model | None = None,
    ) -> None:
        super().__init__(dataset, batch_size, seed, teacher)
        self.metric = aim.metric
        self._aim = aim

    def loss(self, model: keras.Model, batch: tuple[tf.Tensor, ...]) -> tf.Tensor:
        """Return the mean loss of the examples, plus that towards the outputs of the teacher."""
        inputs, targets = batch
        outputs = self._activated(model, model(inputs, training=True))
        loss = tf.reduce_mean(self._aim.loss(targets, outputs))
        if self.teacher is not None:
            taught = self._activated(self.teacher, self.teacher(inputs, training=False))
            loss += tf.reduce_mean(self._aim.imitation(tf.stop_gradient(taught), outputs))
        return loss

    def score(self, model: keras.Model) -> float:
        """Return the metric on dev; NaN where it is undefined."""
        inputs, targets = self._dev
        return self._aim.score(targets, self.outputs_of(model, inputs))

    @cached_property
    def _dev(self) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of dev."""
        return self.dataset.examples("dev")

    def _activated(self, model: keras.Model, outputs: tf.Tensor) -> tf.Tensor:
        """Return outputs with the activation of the aim, which a model may have already."""
        wanted = self._aim.activation
        if wanted in (None, ending(model)):
            return outputs
        return keras.activations.get(wanted.value)(outputs)
