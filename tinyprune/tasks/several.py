"""The task of several outputs: each is a task of its own, on the same inputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from tinyprune.config import TrainConfig
from tinyprune.config.settings import named_values
from tinyprune.data.arrays.several import SeveralDataset, check_ends
from tinyprune.errors import UsageError
from tinyprune.metrics.examples import Measures, Values
from tinyprune.metrics.metric import of_output
from tinyprune.metrics.several import MEAN_SCORE, mean_score
from tinyprune.registry import TASKS
from tinyprune.tasks.examples import ExampleTask
from tinyprune.tasks.shapes import network_of

if TYPE_CHECKING:
    from tinyprune.training.criteria import WeightedSum


class Several(ExampleTask):
    """Several outputs: classes, labels and numbers side by side.

    The loss is the weighted sum of their losses, and the mean score is the weighted mean of their
    main metrics (accuracy, F1, R2), each of which is 1 at best.
    """

    name = "several"
    metric = MEAN_SCORE
    losses = ()

    dataset: SeveralDataset

    def __init__(self, dataset: SeveralDataset, config: TrainConfig | None = None) -> None:
        """``dataset``: examples with labels of each output. ``config``: weights of the losses."""
        self.dataset = dataset
        self.frontend = dataset.frontend
        self.classes = ()
        self.input_shape = dataset.frontend.shape
        self.default_model = network_of(self.input_shape)
        self.outputs: dict[str, ExampleTask] = {}
        for name, output in dataset.outputs.items():
            self.outputs[name] = TASKS[output.task](output)
        self.output_shape = {}
        self.compact_output_shape = {}
        for name, task in self.outputs.items():
            assert not isinstance(task.output_shape, dict), "an output is one"
            assert not isinstance(task.compact_output_shape, dict), "an output is one"
            self.output_shape[name] = task.output_shape
            self.compact_output_shape[name] = task.compact_output_shape

        self.weights = self._weights(config.loss_weights if config else None)
        self.measures = _SeveralMeasures({}, {}, self.outputs, self.weights)
        main = [of_output(name, task.metric) for name, task in self.outputs.items()]
        self.default_metrics = self.checked_metrics = (MEAN_SCORE, *main)
        further = []
        for name, task in self.outputs.items():
            further += [of_output(name, metric) for metric in task.measures.names]
        self.all_metrics = tuple(further)

    @classmethod
    def create(
        cls, dataset: SeveralDataset, config: TrainConfig, frontend: Path | None = None
    ) -> Self:
        """Create the task; the data set has its front end."""
        del frontend
        return cls(dataset, config)

    def criterion(self, config: TrainConfig) -> "WeightedSum":
        """Return the weighted sum of the losses that a configuration asks for.

        Raises UsageError for a loss that is none of its output's.
        """
        from tinyprune.training.criteria import WeightedSum

        has_classes = any(task.has_class_weights for task in self.outputs.values())
        if config.class_weights and not has_classes:
            raise UsageError("train.class_weights: no output has classes to weigh")
        losses = self._losses(config.loss)
        criteria = {}
        for name, task in self.outputs.items():
            weights = config.class_weights if task.has_class_weights else None
            own = replace(config, loss=losses[name], class_weights=weights, loss_weights=None)
            criteria[name] = task.criterion(own)
        return WeightedSum(criteria, self.weights)

    def chance(self) -> float:
        """Return the weighted mean of what each output has by chance."""
        return mean_score(
            {name: task.chance() for name, task in self.outputs.items()}, self.weights
        )

    def allowed_differences(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Return the tolerance of each output in its main metric."""
        allowed = {}
        for name, task in self.outputs.items():
            metric = of_output(name, task.metric)
            allowed[metric] = task.allowed_difference(metrics[metric])
        return allowed

    def _losses(self, text: str) -> dict[str, str]:
        """Return the loss of each output, by its name."""
        losses = dict.fromkeys(self.outputs, TrainConfig.loss)
        if "=" not in text and text != TrainConfig.loss:
            example = ",".join(f"{name}={task.losses[0]}" for name, task in self.outputs.items())
            raise UsageError(
                f"train.loss: '{text}' for several outputs: name each, as in {example}"
            )
        if "=" in text:
            named = named_values(text, "train.loss")
            check_ends("train.loss", named, self.outputs, "outputs")
            losses.update(named)
        return losses

    def _weights(self, text: str | None) -> dict[str, float]:
        """Return the weight of the loss of each output, 1 where none is given."""
        weights = dict.fromkeys(self.outputs, 1.0)
        if text is not None:
            named = named_values(text, "train.loss_weights")
            check_ends("train.loss_weights", named, self.outputs, "outputs")
            weights.update({name: float(number) for name, number in named.items()})
        return weights


@dataclass(frozen=True)
class _SeveralMeasures(Measures):
    """The metrics of each output, ``OUTPUT.METRIC``, and the mean of their main ones.

    Attributes:
        outputs: their tasks. weights: theirs in the mean.
    """

    outputs: Mapping[str, ExampleTask]
    weights: Mapping[str, float]

    def score(
        self, targets: np.ndarray, outputs: np.ndarray, metrics: Sequence[str]
    ) -> tuple[list[Values], Values]:
        """Return the metrics of each example, and those of all together."""
        items: list[Values] = [{} for _ in targets]
        whole: Values = {}
        main = {}
        for name, task in self.outputs.items():
            # Those of each example tell which have an output, whatever is asked for.
            wanted = {*task.measures.each, task.metric}
            wanted |= {known for known in task.measures.names if of_output(name, known) in metrics}
            of_target = task.readable_targets(targets[name])
            found = task.measures.score(of_target, task.readable(outputs[name]), sorted(wanted))
            values, together = found
            for item, of_item in zip(items, values, strict=True):
                item.update(_of_output(name, of_item))
            whole |= _of_output(name, together)
            main[name] = task.measures.summary(task.metric, found)
        mean = mean_score(main, self.weights)
        if np.isfinite(mean):
            whole[MEAN_SCORE] = mean
        return items, whole


def _of_output(name: str, values: Values) -> Values:
    """Return metrics under their names as those of an output."""
    return {of_output(name, metric): value for metric, value in values.items()}
