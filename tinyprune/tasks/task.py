"""The interface of a task: data, learner, scores, and every fact that tells one task from another.

A task is one class in one file, named in ``registry.TASKS``. Its facts are class attributes, which
are there without data and without TensorFlow; nobody outside asks which task it is.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from tinyprune.array_types import Float32Array
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.quality import Quality, TaskRecord
from tinyprune.config import TrainConfig
from tinyprune.errors import UsageError
from tinyprune.metrics.scores import Scores, quality
from tinyprune.named_arrays import Shapes
from tinyprune.tflite.forward import Forward

if TYPE_CHECKING:
    import keras

    from tinyprune.training.fit import Learner

#: Name and form that the unprocessed input has in :class:`Scores`.
NOISY, NOISY_FORM = "-", "noisy"

#: Shape of one input or output, without the batch axis; None is an axis of any length.
Shape = tuple[int | None, ...]

#: From noisy recordings to the number of each and its enhanced signal, in any order.
Enhancer = Callable[[list[Any]], Iterator[tuple[int, Float32Array]]]


class Dataset(Protocol):
    """A data set of registry.DATASETS, as far as all tasks are concerned."""

    @property
    def task(self) -> str:
        """Name of the task that it is for (registry.TASKS)."""

    def fingerprint(self) -> str:
        """Return a text that changes when a sample of training or dev does."""


@dataclass(frozen=True)
class Form:
    """A form in which a network is exported as an int8 graph.

    Attributes:
        name: of its files, ``NAME.tflite`` and ``NAME.json``.
        frames: time steps of one call; None where the network has no time axis.
    """

    name: str
    frames: int | None = None


class Task(ABC):
    """A task with its data.

    Attributes:
        name: in registry.TASKS.
        metric: the one that chooses the best epoch and that int8 graphs are held to.
        default_metrics: those that are scored where none is named.
        checked_metrics: those that are scored at every export.
        all_metrics: further ones that it has, besides those of its name (metrics/metric.py).
        losses: those that it can be trained with (registry.LOSSES); the first is the default.
        forms: int8 graphs that are exported; the first is the one that the device runs.
        default_epochs, learning_rate: of a baseline, where none are given.
        prune_epochs, prune_learning_rate: of a pruning, where none are given.
        default_model: name in registry.MODELS.
        tolerance: largest difference in ``metric`` between an int8 graph and the fake-quantized
            network.
        dataset: the data.
        frontend: record of how raw data become the input of the network, as frontend.json has it.
        input_shape, output_shape: of the network, without the batch axis; of several inputs or
            outputs, each by its name.
        compact_output_shape: another one that says as much: one unit for two classes; empty where
            there is none.
        hop_seconds: time between two calls in streaming use; None where the network does not
            stream.
        classes: names of what is told apart; empty where nothing is.
        activation: of the last layer of a registered network; None: the one that it has.
        has_class_weights: whether its loss may weigh classes.
    """

    name: ClassVar[str]
    metric: str
    default_metrics: tuple[str, ...]
    checked_metrics: tuple[str, ...]
    all_metrics: tuple[str, ...] = ()
    losses: ClassVar[tuple[str, ...]]
    forms: ClassVar[tuple[Form, ...]]
    default_epochs: ClassVar[int]
    learning_rate: ClassVar[float]
    prune_epochs: ClassVar[int]
    prune_learning_rate: ClassVar[float]

    default_model: str
    tolerance: float
    dataset: Any
    frontend: Any
    input_shape: Shape | Shapes
    output_shape: Shape | Shapes
    compact_output_shape: Shape | Shapes = ()
    hop_seconds: float | None = None
    classes: tuple[str, ...] = ()
    activation: str | None = None
    has_class_weights: bool = False

    @classmethod
    @abstractmethod
    def create(cls, dataset: Any, config: TrainConfig, frontend: Path | None = None) -> Self:
        """Create the task of a data set.

        Args:
            dataset: data of this task.
            config: batches that statistics of the data are measured on.
            frontend: record of those statistics, if they were measured before.
        """

    @classmethod
    @abstractmethod
    def for_model_file(cls, dataset: Any, path: Path, frontend: Path | None = None) -> Self:
        """Create the task that a model file was trained for, on a data set.

        ``frontend``: record of its front end, instead of the one beside the file. Raises
        UsageError where there is none.
        """

    @property
    def preparation(self) -> object:
        """The facts in which two tasks are equal that make the same inputs of the same data."""
        return self.frontend

    @classmethod
    def check_ranks(cls, model: str, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        """Raise UsageError for a graph that is of another task, whatever the data are.

        ``inputs``, ``outputs``: shapes with the batch axis.
        """
        del model, inputs, outputs

    def exported(self, folder: Path) -> list[str]:
        """Return the forms whose int8 graphs are in the folder of a variant."""
        names = [form.name for form in self.forms]
        return [name for name in names if (folder / f"{name}.tflite").exists()]

    @classmethod
    def form_of_graph(cls, frames: int) -> str:
        """Return the form of an int8 graph that takes so many time steps per call."""
        names = {form.frames: form.name for form in cls.forms}
        return names.get(frames, cls.forms[-1].name)

    @property
    def record(self) -> TaskRecord:
        """The record of this task, as task.json has it."""
        forms = tuple(form.name for form in self.forms)
        return TaskRecord(self.name, self.metric, forms, self.hop_seconds, self.classes)

    def loss_of(self, config: TrainConfig) -> str:
        """Return the name of the loss that a configuration asks for.

        Where it says nothing, that is the first of the task. Raises UsageError for the loss of
        another task, and for weights of classes where there are none.
        """
        if config.class_weights and not self.has_class_weights:
            raise UsageError(f"train.class_weights: {self.name} has no classes to weigh")
        if config.loss_weights:
            raise UsageError(f"train.loss_weights: {self.name} has one output: leave it out")
        if config.loss in self.losses:
            return config.loss
        if config.loss != TrainConfig.loss:
            expected = ", ".join(self.losses)
            raise UsageError(
                f"train.loss: '{config.loss}' is no loss of {self.name}: expected {expected}"
            )
        return self.losses[0]

    def allowed_difference(self, value: float) -> float:
        """Return how far an int8 graph may be from ``value``, the metric of the network."""
        del value
        return self.tolerance

    def allowed_differences(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Return how far an int8 graph may be from the network, in each metric it is held to.

        ``metrics``: those of the network.
        """
        return {self.metric: self.allowed_difference(metrics[self.metric])}

    @abstractmethod
    def learner(
        self, config: TrainConfig, seed: int, teacher: "keras.Model | None" = None
    ) -> "Learner":
        """Return batches, loss and the score on dev. ``teacher``: a model that is imitated too."""

    @abstractmethod
    def calibration(self) -> Float32Array:
        """Return inputs that activation ranges are measured on, (n, ...).

        Of sequences they are consecutive frames, (n, features).
        """

    @abstractmethod
    def scores(
        self, forward: Forward, form: str, split: str, metrics: Sequence[str], model: str = ""
    ) -> Scores:
        """Score a function on every item of a split.

        Args:
            forward: from inputs (batch, ...) to outputs (batch, ...).
            form: name of the form in the result.
            split: "dev" or "test".
            metrics: registered names, of this task.
            model: name of the model in the result.
        """

    def unprocessed_scores(self, split: str, metrics: Sequence[str]) -> Scores | None:
        """Score the input as it is; None where that means nothing."""
        del split, metrics
        return None

    def enhancer(self, forward: Forward) -> Enhancer:
        """Return the function that brings recordings through a network, for sweeps.

        Raises UsageError for a task that has none.
        """
        del forward
        raise UsageError(f"--sweep changes recordings of speech: this is {self.name}")

    def chance(self) -> float:
        """Return the ``metric`` on dev up to which a network knows nothing of its task.

        Minus infinity where there is no such value.
        """
        return -math.inf

    def is_at_chance(self, score: float) -> bool:
        """Return whether a score on dev is one of a network that knows nothing; NaN is one."""
        return not score > self.chance()

    def can_tell_chance(self) -> bool:
        """Return whether dev has enough examples to say that a network has learned nothing."""
        return False

    def shows_nothing(self, metrics: Mapping[str, float]) -> bool:
        """Return whether every metric on dev is one of a network that knows nothing.

        ``metrics``: the ``checked_metrics``, of as many examples as :meth:`can_tell_chance` asks.
        """
        return self.is_at_chance(metrics.get(self.metric, math.nan))

    def quality(self, forward: Forward, form: str, split: str, model: str = "") -> Quality:
        """Return the means over a split of the few metrics that an export is checked with."""
        return quality(self.scores(forward, form, split, self.checked_metrics, model))

    def unprocessed(self, split: str) -> Quality | None:
        """Return the same of the input as it is; None where that means nothing."""
        scores = self.unprocessed_scores(split, self.checked_metrics)
        return quality(scores) if scores else None

    def device_front_end(self, artifact: TFLiteArtifact) -> Any | None:
        """Return the record of the front end that firmware needs beside a graph, if it has one."""
        del artifact
        return None
