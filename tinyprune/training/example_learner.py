"""The common part of learners on examples: batches, a forward pass, outputs on dev."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from tinyprune.compress.compiled import compiled
from tinyprune.compress.ends import given, made
from tinyprune.data.examples import ExampleDataset
from tinyprune.named_arrays import arrays_of

BATCH = 128


class ExampleLearner:
    """Batches of a data set, and the outputs of a network on its dev examples.

    Attributes:
        dataset: examples.
        teacher: a model whose outputs are targets too, or None.
    """

    def __init__(
        self,
        dataset: ExampleDataset,
        batch_size: int,
        seed: int = 0,
        teacher: keras.Model | None = None,
    ) -> None:
        self.dataset = dataset
        self.teacher = teacher
        self._batch_size = batch_size
        self._seed = seed
        self._forward = compiled(lambda model, inputs: model(inputs, training=False))

    def steps_per_epoch(self) -> int:
        """Return the number of batches of an epoch."""
        return self.dataset.batches_per_epoch(self._batch_size)

    def batches(self, epoch: int) -> Iterator[tuple[Any, ...]]:
        """Return the (features, targets) batches of an epoch; several of either by name."""
        for inputs, targets in self.dataset.batches(epoch, self._batch_size, self._seed):
            yield arrays_of(inputs), arrays_of(targets)

    def forward(self, model: keras.Model, inputs: np.ndarray) -> np.ndarray:
        """Return the outputs of a model as it is after training, for inputs (n, ...)."""
        return made(model, self._forward(model, given(model, inputs)))

    def outputs_of(self, model: keras.Model, inputs: np.ndarray) -> np.ndarray:
        """Return the same batch by batch, for any number of inputs."""
        starts = range(0, len(inputs), BATCH)
        return np.concatenate(
            [self.forward(model, inputs[start : start + BATCH]) for start in starts]
        )
