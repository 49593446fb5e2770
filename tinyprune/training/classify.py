"""Learning classes: cross-entropy on training examples, accuracy on dev."""

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from tinyprune.compress import graph
from tinyprune.compress.fake_quant import FakeQuantize
from tinyprune.data.labelled import LabelledDataset
from tinyprune.metrics.classification import accuracy

BATCH = 128
SMALLEST = 1e-7  # probability, below which its logarithm is cut off


def ends_in_softmax(model: keras.Model) -> bool:
    """Return whether the outputs of a model are probabilities already.

    An operation that only puts them on a grid is passed over.
    """
    history = model.outputs[0]._keras_history
    while isinstance(history.operation, FakeQuantize):
        node = history.operation._inbound_nodes[history.node_index]
        history = node.input_tensors[0]._keras_history
    last = history.operation
    if graph.is_model(last):
        return ends_in_softmax(last)
    is_softmax = getattr(last, "activation", None) is keras.activations.softmax
    return is_softmax or type(last).__name__ == "Softmax"  # a layer or an operation


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

        That is the Kullback-Leibler divergence (Hinton et al. 2015, arXiv 1503.02531).
        """
        inputs, labels = batch
        log_chances = _log_probabilities(model, model(inputs, training=True))
        loss = -tf.reduce_mean(tf.gather(log_chances, labels, batch_dims=1))
        if self.teacher is not None:
            taught = tf.stop_gradient(
                _log_probabilities(self.teacher, self.teacher(inputs, training=False))
            )
            loss += tf.reduce_mean(tf.reduce_sum(tf.exp(taught) * (taught - log_chances), axis=1))
        return loss

    def score(self, model: keras.Model) -> float:
        """Return the accuracy on dev, a fraction."""
        starts = range(0, len(self._inputs), BATCH)
        scores = [
            self._forward(model, self._inputs[start : start + BATCH]).numpy() for start in starts
        ]
        return accuracy(self._labels, np.concatenate(scores))


def _log_probabilities(model: keras.Model, outputs: tf.Tensor) -> tf.Tensor:
    """Return logarithms (n, classes) of the probabilities that outputs are or stand for."""
    if ends_in_softmax(model):
        return tf.math.log(tf.maximum(outputs, SMALLEST))
    return tf.nn.log_softmax(outputs)
