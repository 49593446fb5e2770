"""Learning classes: cross-entropy or another loss on training examples, accuracy on dev."""

from dataclasses import dataclass

import keras
import tensorflow as tf

from tinyprune.data.labelled import LabelledDataset
from tinyprune.metrics.classification import accuracy, by_class
from tinyprune.registry import LOSSES
from tinyprune.training.criteria import Answer
from tinyprune.training.endings import Ending
from tinyprune.training.examples import Aim, LearnExamples

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


@dataclass(frozen=True)
class ClassCriterion:
    """The loss of an output that tells classes apart.

    Of a network with a sigmoid per class, it is a sum over classes, each a question of yes or no.

    Attributes:
        of_classes: of each example.
    """

    of_classes: ClassLoss = ClassLoss()

    def loss(self, labels: tf.Tensor, answer: Answer) -> tf.Tensor:
        """Return the mean loss of examples of classes ``labels`` (n,)."""
        if not _asks_each_class(answer):
            log_chances = _log_probabilities(answer)
            losses = self.of_classes.of_answers(labels, log_chances)
            return self.of_classes.mean(labels, losses)
        log_chances = _log_answers(answer.values)
        is_class = tf.one_hot(labels, log_chances.shape[1], dtype=tf.int32)
        losses = tf.reduce_sum(self.of_classes.of_answers(is_class, log_chances), axis=1)
        return self.of_classes.mean(labels, losses)

    def imitation(self, taught: Answer, answer: Answer) -> tf.Tensor:
        """Return the Kullback-Leibler divergence from a teacher.

        Hinton et al. 2015, arXiv 1503.02531.
        """
        if not _asks_each_class(answer):
            log_chances = _log_probabilities(answer)
            wanted = tf.stop_gradient(_log_probabilities(taught))
            return tf.reduce_mean(_divergence(wanted, log_chances, [1]))
        wanted = tf.stop_gradient(_log_answers(taught.values))
        return tf.reduce_mean(_divergence(wanted, _log_answers(answer.values), [1, 2]))


class Classify(LearnExamples):
    """Classification: the score is the accuracy on dev."""

    def __init__(
        self,
        dataset: LabelledDataset,
        batch_size: int,
        seed: int = 0,
        teacher: keras.Model | None = None,
        loss: ClassLoss | None = None,
    ) -> None:
        aim = Aim("accuracy", lambda labels, outputs: accuracy(labels, by_class(outputs)))
        criterion = ClassCriterion(loss or ClassLoss())
        super().__init__(dataset, aim, criterion, batch_size, seed, teacher)


def _divergence(taught: tf.Tensor, log_chances: tf.Tensor, axes: list[int]) -> tf.Tensor:
    """Return the divergence of each example, of logarithms of probabilities."""
    return tf.reduce_sum(tf.exp(taught) * (taught - log_chances), axis=axes)


def _asks_each_class(answer: Answer) -> bool:
    """Return whether an answer is a sigmoid for each of several classes."""
    return answer.ending is Ending.SIGMOID and answer.values.shape[-1] > 1


def _log_probabilities(answer: Answer) -> tf.Tensor:
    """Return logarithms (n, classes) of the probabilities that outputs are or stand for.

    One unit stands for two classes: it is the probability of the second one, or its log-odds.
    """
    return _LOG_PROBABILITIES[answer.ending](answer.values)


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
