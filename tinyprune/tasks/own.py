"""A user's own task: data, loss and metric from ``module:function``.

The function is called without arguments and returns an object as :class:`OwnTask` describes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from tinyprune.config import OwnData, TrainConfig
from tinyprune.data.arrays.frontend import ArrayFrontEnd, NamedFrontEnd
from tinyprune.data.examples import ExampleDataset, Examples
from tinyprune.errors import UsageError
from tinyprune.metrics.examples import Measures
from tinyprune.named_arrays import arrays_of, has_names, joined, parts
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
        output_shape: of the network, without the batch axis, e.g. (2,); of several outputs a dict,
            e.g. {"kind": (3,), "box": (4,)}.

    Where there are several outputs, targets and outputs are dicts by name too, and so are inputs
    where there are several.

    An attribute ``tolerance`` may say how far an int8 graph may be from the trained network, in the
    metric; without it that is a twentieth of its value, and 0.02 at least.
    """

    metric: str
    output_shape: Any

    def data(self, split: str) -> tuple[Any, Any] | None:
        """Return inputs (n, ...) as the network takes them, and targets (n, ...) as the loss does.

        ``split``: "train", "dev" or "test"; None: there is no such split. Inputs are float32.
        """

    def loss(self, targets: Any, outputs: Any) -> Any:
        """Return the loss of each example (n,), or their mean, as a tensor of TensorFlow."""

    def score(self, targets: Any, outputs: Any) -> "np.ndarray | float":
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
        self.output_shape = _shape_of(own.output_shape)
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
        from tinyprune.training.criteria import OwnCriterion
        from tinyprune.training.examples import Aim, LearnExamples

        if config.loss != TrainConfig.loss or config.class_weights or config.loss_weights:
            raise UsageError(
                f"{self.dataset.source} has a loss of its own: leave out --loss, --loss-weights "
                "and --class-weights"
            )
        aim = Aim(self.metric, self._score)
        criterion = OwnCriterion(self.dataset.own.loss, LOSSES["mse"])
        return LearnExamples(self.dataset, aim, criterion, config.batch_size, seed, teacher)


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
        found = self.dataset.own.score(arrays_of(targets), arrays_of(outputs))
        values = np.asarray(found, np.float64)
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

    frontend = _front_end(splits["train"].inputs)
    return OwnDataset(splits, (), frontend, config.seed, source=source, own=own)


def _shape_of(shape: Any) -> Any:
    """Return the shape of the output, or those of several by name."""
    if isinstance(shape, Mapping):
        return {name: tuple(one) for name, one in shape.items()}
    return tuple(shape)


def _front_end(inputs: np.ndarray) -> ArrayFrontEnd | NamedFrontEnd:
    """Return the front end that leaves inputs as they are."""
    frontends = []
    for array in parts(inputs):
        shape = tuple(array.shape[1:])
        frontends.append(ArrayFrontEnd(shape, "none", (0.0,) * shape[-1], (1.0,) * shape[-1]))
    if not has_names(inputs):
        return frontends[0]
    return NamedFrontEnd(inputs.dtype.names or (), tuple(frontends))


def _examples(arrays: Any, name: str) -> Examples:
    """Return inputs and targets. Raises UsageError for what is no pair of arrays of one length."""
    try:
        inputs, targets = map(_joined, arrays)
    except (TypeError, ValueError):
        raise UsageError(
            f"{name} gives no pair: expected (inputs, targets), two arrays or dicts of arrays"
        ) from None
    are_numbers = all(part.dtype.kind in "buif" and part.ndim > 1 for part in parts(inputs))
    if not are_numbers or len(inputs) != len(targets) or not len(inputs):
        raise UsageError(
            f"{name} gives arrays {_sizes(inputs)} and {_sizes(targets)}: expected inputs (n, ...) "
            "of numbers and n targets"
        )
    if not all(np.isfinite(part).all() for part in parts(inputs)):
        raise UsageError(f"{name} gives inputs that are NaN or infinite")
    return Examples(inputs, targets)


def _sizes(arrays: np.ndarray) -> str:
    """Return the shape of an array, or those of arrays with names."""
    return ", ".join(str(part.shape) for part in parts(arrays))


def _joined(arrays: Any) -> np.ndarray:
    """Return an array, or those of a dict as one with names."""
    if not isinstance(arrays, Mapping):
        return np.asarray(arrays)
    return joined({name: np.asarray(array) for name, array in arrays.items()})
