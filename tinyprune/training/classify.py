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
    """Whether a model's outputs are probabilities already; what only puts them on a grid does not count."""
    history = model.outputs[0]._keras_history
    while isinstance(history.operation, FakeQuantize):
        history = (
            history.operation._inbound_nodes[history.node_index].input_tensors[0]._keras_history
        )
    last = history.operation
    if graph.is_model(last):
        return ends_in_softmax(last)
    is_softmax = getattr(last, "activation", None) is keras.activations.softmax
    return is_softmax or type(last).__name__ == "Softmax"  # a layer or an operation


class Classify:
    """Classification.

    Attributes:
        metric: what :meth:`score` gives.
        dataset: examples. teacher: a model whose probabilities are imitated too, or None.
    """

    metric = "accuracy"

    def __init__(
        self,
        dataset: LabelledDataset,
        batch_size: int,
        seed: int = 0,
        teacher: keras.Model | None = None,
    ) -> None:
        self.dataset, self.teacher = dataset, teacher
        self._batch_size, self._seed = batch_size, seed
        self._inputs, self._labels = dataset.examples("dev")
        self._forward = tf.function(
            lambda model, inputs: model(inputs, training=False), reduce_retracing=True
        )

    def steps_per_epoch(self) -> int:
        """Number of batches of an epoch."""
        return self.dataset.batches_per_epoch(self._batch_size)

    def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, ...]]:
        """(features, labels) of an epoch."""
        return self.dataset.batches(epoch, self._batch_size, self._seed)

    def loss(self, model: keras.Model, batch: tuple[tf.Tensor, ...]) -> tf.Tensor:
        """Mean cross-entropy, plus the Kullback-Leibler divergence from the teacher (Hinton et al. 2015)."""
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
        """Accuracy on dev, a fraction."""
        starts = range(0, len(self._inputs), BATCH)
        scores = [
            self._forward(model, self._inputs[start : start + BATCH]).numpy() for start in starts
        ]
        return accuracy(self._labels, np.concatenate(scores))


def _log_probabilities(model: keras.Model, outputs: tf.Tensor) -> tf.Tensor:
    """Logarithms (n, classes) of the probabilities that a model's outputs are or stand for."""
    return (
        tf.math.log(tf.maximum(outputs, SMALLEST))
        if ends_in_softmax(model)
        else tf.nn.log_softmax(outputs)
    )
