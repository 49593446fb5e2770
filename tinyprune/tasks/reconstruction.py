"""The task of giving back the input: an autoencoder."""

from tinyprune.data.examples import ExampleDataset
from tinyprune.metrics.examples import NUMBERS
from tinyprune.tasks.examples import ExampleTask

SHARE = 0.05  # of the error of the network, that an int8 graph may differ by
FLOOR = 1e-3  # the same of the variance of the input: the steps of an int8 grid are in it


class AutoencoderTask(ExampleTask):
    """The common part of tasks of a network that gives back its input."""

    prune_learning_rate = 2e-3  # layers of neurons, which nothing brings back to scale
    losses = ("mse", "mae", "huber")
    measures = NUMBERS

    def __init__(self, dataset: ExampleDataset) -> None:
        """``dataset``: examples, and their front end."""
        super().__init__(dataset)
        self.default_model = "autoencoder"
        self.output_shape = self.input_shape


class Reconstruction(AutoencoderTask):
    """Reconstruction: an autoencoder gives back its input, normalised as it takes it."""

    name = "reconstruction"
    metric = "mse"
    default_metrics = ("mse", "mae", "r2")
    checked_metrics = ("mse", "mae", "r2")

    def __init__(self, dataset: ExampleDataset) -> None:
        """``dataset``: examples, and their front end."""
        super().__init__(dataset)
        inputs, _ = dataset.examples("dev")
        self.tolerance = FLOOR * float(inputs.var())

    def allowed_difference(self, value: float) -> float:
        """Return a twentieth of the error, or a thousandth of the variance if that is more."""
        return max(SHARE * value, self.tolerance)
