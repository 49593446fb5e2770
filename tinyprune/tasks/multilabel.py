"""The task of several labels per example, each yes or no."""

from typing import TYPE_CHECKING

import numpy as np

from tinyprune.data.examples import ExampleDataset
from tinyprune.metrics.classification import label_probabilities
from tinyprune.metrics.examples import LABELS
from tinyprune.tasks.examples import ExampleTask

if TYPE_CHECKING:
    from tinyprune.training.endings import Ending


class MultiLabel(ExampleTask):
    """Labels: an input of any shape becomes the probability of each label, which may be several."""

    name = "multilabel"
    metric = "f1"
    default_metrics = ("f1", "accuracy", "auc")
    checked_metrics = ("f1", "accuracy", "auc")
    losses = ("binary-cross-entropy", "binary-focal")
    activation = "sigmoid"
    measures = LABELS

    def __init__(self, dataset: ExampleDataset) -> None:
        """``dataset``: examples with labels (n, labels), and their front end."""
        super().__init__(dataset)
        self.output_shape = (len(dataset.classes),)
        # Of few examples, two that lie on a border are more than a fiftieth.
        self.tolerance = max(0.02, 2 / len(dataset.split("dev")))

    @property
    def loss_activation(self) -> "Ending":
        """The sigmoid, which makes probabilities."""
        from tinyprune.training.endings import Ending

        return Ending.SIGMOID

    def readable(self, values: np.ndarray) -> np.ndarray:
        """Return labels, or outputs as probabilities, (n, labels)."""
        return label_probabilities(values)
