"""The task of numbers: regression."""

import numpy as np

from tinyprune.data.arrays.dataset import NumberDataset
from tinyprune.metrics.examples import NUMBERS
from tinyprune.tasks.examples import ExampleTask

LEAST_EXAMPLES = 30  # on dev, before a network is said to have learned nothing


class Regression(ExampleTask):
    """Regression: an input of any shape becomes numbers.

    The network gives numbers of mean 0 and deviation 1; frontend.json has what brings them back.
    MSE and MAE are in the unit of the data.
    """

    name = "regression"
    metric = "r2"
    default_metrics = ("r2", "mse", "mae")
    checked_metrics = ("r2", "mse", "mae")
    losses = ("mse", "mae", "huber")
    tolerance = 0.02
    measures = NUMBERS

    dataset: NumberDataset

    def __init__(self, dataset: NumberDataset) -> None:
        """``dataset``: examples with numbers (n, ...), and their front end."""
        super().__init__(dataset)
        self.output_shape = dataset.split("train").labels.shape[1:]

    def chance(self) -> float:
        """Return the R2 of the mean of the targets, whatever the input."""
        return 0.0

    def can_tell_chance(self) -> bool:
        """Return whether there are examples enough for R2 to mean something."""
        return len(self.dataset.split("dev")) >= LEAST_EXAMPLES

    def readable(self, values: np.ndarray) -> np.ndarray:
        """Return outputs or targets (n, ...) in the unit of the data."""
        return self.dataset.frontend.numbers(values)
