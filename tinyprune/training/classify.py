"""Learning classes: cross-entropy or another loss on training examples, accuracy on dev."""

from dataclasses import dataclass

import keras
import tensorflow as tf

from tinyprune.data.labelled import LabelledDataset
from tinyprune.metrics.classification import accuracy, by_class
from tinyprune.registry import LOSSES
from tinyprune.training.endings import Ending, ending
from tinyprune.training.example_learner import ExampleLearner

SMALLEST = 1e-7  # probability, below which its logarithm is cut off


@dataclass(frozen=True)
class ClassLoss:
    """The loss of classes.

    Attributes:
        name: of registry.LOSSES.
        weights: of each class; empty: all count alike.
    """

    name: str = "cross-entropy"
    weights: tuple[float, ...] = ()

    def of_answers(self, answers: tf.Tensor, log_chances: tf.Tensor) -> tf.Tensor:
        """Return the loss of each answer (n, ...), of log probabilities (n, ..., answers)."""
        losses: tf.Tensor = LOSSES[self.name](answers, log_chances)
        return losses

    def mean(self, labels: tf.Tensor, losses: tf.Tensor) -> tf.Tensor:
        """Return the mean of the losses (n,) of examples of classes ``labels`` (n,)."""
        if self.weights:
            losses *= tf.gather(tf.constant(self.weights, tf.float32), labels)
        return tf.reduce_mean(losses)


class Classify(ExampleLearner):
    """Classification: the score is the accuracy on dev."""

    metric = "accuracy"

    def __init__(
        self,
        dataset: LabelledDataset,
        batch_size: int,
        seed: int = 0,
        teacher: keras.Model | None = None,
        loss: ClassLoss | None = None,
    ) -> None:
        super().__init__(dataset, batch_size, seed, teacher)
        self._loss = loss or ClassLoss()
        self._inputs, self._labels = dataset.examples("dev")

    def loss(self, model: keras.Model, batch: tuple[tf.Tensor, ...]) -> tf.Tensor:
        """Return the mean loss of the examples, plus the divergence from the teacher.

        That is the Kullback-Leibler divergence (Hinton et al. 2015, arXiv 1503.02531). Of a network
        with a sigmoid per class, both are sums over classes, each a question of yes or no.
        """
        inputs, labels = batch
        if _asks_each_class(model):
            return self._loss_of_questions(model, inputs, labels)
        log_chances = _log_probabilities(model, model(inputs, training=True))
        loss = self._loss.mean(labels, self._loss.of_answers(labels, log_chances))
        if self.teacher is not None:
            taught = tf.stop_gradient(
                _log_probabilities(self.teacher, self.teacher(inputs, training=False))
            )
            loss += tf.reduce_mean(tf.reduce_sum(tf.exp(taught) * (taught - log_chances), axis=1))
        return loss

    def _loss_of_questions(
        self, model: keras.Model, inputs: tf.Tensor, labels: tf.Tensor
    ) -> tf.Tensor:
        log_chances = _log_answers(model(inputs, training=True))
        is_class = tf.one_hot(labels, log_chances.shape[1], dtype=tf.int32)
        losses = tf.reduce_sum(self._loss.of_answers(is_class, log_chances), axis=1)
        loss = self._loss.mean(labels, losses)
        if self.teacher is not None:
            taught = tf.stop_gradient(_log_answers(self.teacher(inputs, training=False)))
            distances = tf.reduce_sum(tf.exp(taught) * (taught - log_chances), axis=[1, 2])
            loss += tf.reduce_mean(distances)
        return loss

    def score(self, model: keras.Model) -> float:
        """Return the accuracy on dev, a fraction."""
        return accuracy(self._labels, by_class(self.outputs_of(model, self._inputs)))


def _asks_each_class(model: keras.Model) -> bool:
    """Return whether a model has a sigmoid for each of several classes."""
    return ending(model) is Ending.SIGMOID and model.outputs[0].shape[-1] > 1


def _log_probabilities(model: keras.Model, outputs: tf.Tensor) -> tf.Tensor:
    """Return logarithms (n, classes) of the probabilities that outputs are or stand for.

    One unit stands for two classes: it is the probability of the second one, or its log-odds.
    """
    return _LOG_PROBABILITIES[ending(model)](outputs)


def _log_of_softmax(chances: tf.Tensor) -> tf.Tensor:
    return tf.math.log(tf.maximum(chances, SMALLEST))


def _log_of_sigmoid(chances: tf.Tensor) -> tf.Tensor:
    return _log_answers(chances)[:, 0]


def _log_of_scores(scores: tf.Tensor) -> tf.Tensor:
    if scores.shape[-1] == 1:
        scores = tf.concat([tf.zeros_like(scores), scores], axis=1)
    return tf.nn.log_softmax(scores)


def _log_answers(chances: tf.Tensor) -> tf.Tensor:
    """Return logarithms (n, questions, 2) of "no" and "yes", of chances (n, questions) of "yes"."""
    answers = tf.stack([1 - chances, chances], axis=2)
    return tf.math.log(tf.maximum(answers, SMALLEST))


_LOG_PROBABILITIES = {
    Ending.SOFTMAX: _log_of_softmax,
    Ending.SIGMOID: _log_of_sigmoid,
    Ending.SCORES: _log_of_scores,
}
