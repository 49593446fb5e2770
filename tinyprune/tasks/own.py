"""A user's own task: data, loss and metric from ``module:function``.

The function is called without arguments and returns an object as :class:`OwnTask` describes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from tinyprune.config import OwnData, TrainConfig
from tinyprune.data.arrays.frontend import ArrayFrontEnd
from tinyprune.data.examples import ExampleDataset, Examples
from tinyprune.errors import UsageError
from tinyprune.metrics.examples import Measures
from tinyprune.registry import LOSSES
from tinyprune.tasks.examples import ExampleTask

if TYPE_CHECKING:
    import keras

    from tinyprune.training.examples import LearnExamples

EXPECTED = "expected package.module:function"
NEEDED = ("metric", "output_shape", "data", "loss", "score")
SPLITS = ("train", "dev", "test")
SHARE = 0.05  # of the metric, that an int8 graph may differ by, unless the task says otherwise
FLOOR = 0.02  # and at least so much


class OwnTask(Protocol):
    """The description of a task of one's own.

    Attributes:
        metric: name of the score: one of `tinyprune list metrics`, or any other. Of a name that
            ends in ``_error`` or ``_loss``, and of mse and mae, a lower value is better; of all
            others a higher one.
        output_shape: of the network, without the batch axis, e.g. (2,).

    An attribute ``tolerance`` may say how far an int8 graph may be from the trained network, in the
    metric; without it that is a twentieth of its value, and 0.02 at least.
    """

    metric: str
    output_shape: tuple[int, ...]

    def data(self, split: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Return inputs (n, ...) as the network takes them, and targets (n, ...) as the loss does.

        ``split``: "train", "dev" or "test"; None: there is no such split. Inputs are float32.
        """

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Return the loss of each example (n,), or their mean, as a tensor of TensorFlow."""

    def score(self, targets: np.ndarray, outputs: np.ndarray) -> "np.ndarray | float":
        """Return the metric of each example (n,), or one number of all."""


@dataclass(frozen=True, eq=False)
class OwnDataset(ExampleDataset):
    """Splits of a user's own task.

    Attributes:
        source: ``module:function``. own: what it returned.
    """

    task: ClassVar[str] = "own"

    source: str = ""
    own: Any = None


class Own(ExampleTask):
    """A task of one's own: its data, loss and metric come from --task MODULE:FUNCTION."""

    name = "own"
    metric = ""
    default_metrics: tuple[str, ...] = ()
    checked_metrics: tuple[str, ...] = ()
    losses = ()

    dataset: OwnDataset

    def __init__(self, dataset: OwnDataset) -> None:
        """``dataset``: examples, and the user's description of the task."""
        super().__init__(dataset)
        own = dataset.own
        self.output_shape = tuple(own.output_shape)
        self.metric = own.metric
        self.default_metrics = self.checked_metrics = (own.metric,)
        self.measures = _OwnMeasures({}, {}, dataset)

    def allowed_difference(self, value: float) -> float:
        """Return the tolerance of the user, or a twentieth of the metric, 0.02 at least."""
        largest = max(SHARE * abs(value), FLOOR)
        return float(getattr(self.dataset.own, "tolerance", largest))

    def learner(
        self, config: TrainConfig, seed: int, teacher: "keras.Model | None" = None
    ) -> "LearnExamples":
        """Return the user's data, loss and metric. Raises UsageError for a loss beside that."""
        from tinyprune.training.examples import Aim, LearnExamples

        if config.loss != TrainConfig.loss or config.class_weights:
            raise UsageError(
                f"{self.dataset.source} has a loss of its own: leave out --loss and --class-weights"
            )
        aim = Aim(self.metric, self._score, self.dataset.own.loss, LOSSES["mse"])
        return LearnExamples(self.dataset, aim, config.batch_size, seed, teacher)


@dataclass(frozen=True)
class _OwnMeasures(Measures):
    """The metric of a user: of each example, or of all together."""

    dataset: OwnDataset

    def score(
        self, targets: np.ndarray, outputs: np.ndarray, metrics: Sequence[str]
    ) -> tuple[list[dict[str, float]], dict[str, float]]:
        """Return the metric of each example, or that of all.

        Raises UsageError where the function gives something else.
        """
        del metrics
        name = self.dataset.own.metric
        values = np.asarray(self.dataset.own.score(targets, outputs), np.float64)
        if values.shape == (len(targets),):
            return [_finite(name, value) for value in values.tolist()], {}
        if values.size != 1:
            raise UsageError(
                f"{self.dataset.source}: score gives an array of shape {values.shape}: expected "
                f"({len(targets)},), or one number"
            )
        return [{} for _ in targets], _finite(name, values.item())


def _finite(name: str, value: float) -> dict[str, float]:
    """Return a metric and its value, without a value that is not finite."""
    return {name: value} if np.isfinite(value) else {}


def load(config: OwnData, cache: Path) -> OwnDataset:
    """The data of a task of one's own (--task MODULE:FUNCTION).

    Nothing is normalised or varied. Raises UsageError for a function that does not return what
    :class:`OwnTask` describes.
    """
    del cache
    from tinyprune.models.loading import modules

    source = str(config.task)
    with modules.importing_from_here():
        own = modules.from_function(source, "task", EXPECTED)
    missing = [name for name in NEEDED if not hasattr(own, name)]
    if missing:
        raise UsageError(
            f"{source} gives an object without {', '.join(missing)}: "
            f"expected one with {', '.join(NEEDED)}"
        )
    splits = {}
    for split in SPLITS:
        arrays = own.data(split)
        if arrays is not None:
            splits[split] = _examples(arrays, f"{source}: data('{split}')")
    for split in ("train", "dev"):
        if split not in splits:
            raise UsageError(f"{source}: data('{split}') gives nothing: train and dev are needed")

    shape = splits["train"].inputs.shape[1:]
    features = shape[-1]
    frontend = ArrayFrontEnd(shape, "none", (0.0,) * features, (1.0,) * features)
    return OwnDataset(splits, (), frontend, config.seed, source=source, own=own)


def _examples(arrays: Any, name: str) -> Examples:
    """Return inputs and targets. Raises UsageError for what is no pair of arrays of one length."""
    try:
        inputs, targets = map(np.asarray, arrays)
    except (TypeError, ValueError):
        raise UsageError(f"{name} gives no pair: expected (inputs, targets), two arrays") from None
    are_numbers = inputs.dtype.kind in "buif" and inputs.ndim > 1
    if not are_numbers or len(inputs) != len(targets) or not len(inputs):
        raise UsageError(
            f"{name} gives arrays {inputs.shape} and {targets.shape}: expected inputs (n, ...) of "
            "numbers and n targets"
        )
    if not np.isfinite(inputs).all():
        raise UsageError(f"{name} gives inputs that are NaN or infinite")
    return Examples(inputs, targets)
