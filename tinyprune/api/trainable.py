"""A prepared network that Keras can train: ``fit`` with what a compression adds to a step."""

from typing import Any

import keras
import tensorflow as tf

from tinyprune.training.compression import Compression


class CompressedModel(keras.Model):
    """A ``keras.Model`` whose training step lets a compression see the gradients.

    Attributes:
        compression: the penalty, the variables and the importances that a pruning adds to a step.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.compression = Compression()
        self.supports_jit = False  # XLA is several times slower here on a CPU

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step of ``fit`` on a batch (x, y, sample_weight)."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            predicted = self(x, training=True)
            loss = self.compute_loss(x, y, predicted, sample_weight, training=True)
            total = loss + self.compression.added_loss()

        trained = self.trainable_variables
        learned = self.compression.learned
        gradients = tape.gradient(total, [*(variable.value for variable in trained), *learned])
        self.compression.observe([*trained, *learned], gradients)
        self.optimizer.apply(gradients[: len(trained)], trained)
        self._loss_tracker.update_state(loss, sample_weight=tf.shape(keras.tree.flatten(x)[0])[0])
        return self.compute_metrics(x, y, predicted, sample_weight)


def trainable(prepared: keras.Model) -> CompressedModel:
    """Return a network of the same layers, so of the same weights, that ``fit`` can train.

    It takes and gives several inputs and outputs as the network does.
    """
    return CompressedModel(prepared.input, prepared.output, name=prepared.name)
