"""Learning classes: cross-entropy on training examples, accuracy on dev."""

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from tinyprune.data.labelled import LabelledDataset
from tinyprune.metrics.classification import accuracy, by_class
from tinyprune.training.endings import Ending, ending

BATCH = 128
SMALLEST = 1e-7  # probability, below which its logarithm is cut off


class Classify:
    """Classification.

    Attributes:
        metric: name of the score.
        dataset: examples.
        teacher: a model whose probabilities are imitated too, or None.
    """

    metric = "accuracy"

    def __init__(
        self,
        dataset: LabelledDataset,
        batch_size: int,
        seed: int = 0,
        teacher: keras.Model | None = None,
    ) -> None:
        self.dataset = dataset
        self.teacher = teacher
        self._batch_size = batch_size
        self._seed = seed
        self._inputs, self._labels = dataset.examples("dev")
        self._forward = tf.function(
            lambda model, inputs: model(inputs, training=False), reduce_retracing=True
        )

    def steps_per_epoch(self) -> int:
        """Return the number of batches of an epoch."""
        return self.dataset.batches_per_epoch(self._batch_size)

    def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, ...]]:
        """Return the (features, labels) batches of an epoch."""
        return self.dataset.batches(epoch, self._batch_size, self._seed)

    def loss(self, model: keras.Model, batch: tuple[tf.Tensor, ...]) -> tf.Tensor:
        """Return the mean cross-entropy, plus the divergence from the teacher.

        That is the Kullback-Leibler divergence (Hinton et al. 2015, arXiv 1503.02531). Of a network
        with a sigmoid per class, both are sums over classes, each a question of yes or no.
        """
        inputs, labels = batch
        if _asks_each_class(model):
            return self._loss_of_questions(model, inputs, labels)
        log_chances = _log_probabilities(model, model(inputs, training=True))
        loss = -tf.reduce_mean(tf.gather(log_chances, labels, batch_dims=1))
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
        loss = -tf.reduce_sum(tf.gather(log_chances, is_class, batch_dims=2), axis=1)
        if self.teacher is not None:
            taught = tf.stop_gradient(_log_answers(self.teacher(inputs, training=False)))
            loss += tf.reduce_sum(tf.exp(taught) * (taught - log_chances), axis=[1, 2])
        return tf.reduce_mean(loss)

    def score(self, model: keras.Model) -> float:
        """Return the accuracy on dev, a fraction."""
        starts = range(0, len(self._inputs), BATCH)
        scores = [
            self._forward(model, self._inputs[start : start + BATCH]).numpy() for start in starts
        ]
        return accuracy(self._labels, by_class(np.concatenate(scores)))


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
