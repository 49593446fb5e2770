"""Metrics of examples: some are the mean of what each example has, some are of a set as a whole."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from tinyprune.array_types import Float64Array
from tinyprune.errors import TinypruneError
from tinyprune.metrics.classification import accuracy_of_each, auc, balanced_accuracy, f1
from tinyprune.metrics.numbers import absolute_errors, r2, squared_errors

#: (targets, outputs) of n examples -> a value of each, (n,).
OfEach = Callable[[np.ndarray, np.ndarray], Float64Array]
#: (targets, outputs) of n examples -> one value.
OfAll = Callable[[np.ndarray, np.ndarray], float]
#: Metric name -> value.
Values = dict[str, float]


@dataclass(frozen=True)
class Measures:
    """The metrics of a task.

    Attributes:
        each: metric name -> function, of metrics that every example has.
        whole: the same of metrics that only a set has.
    """

    each: Mapping[str, OfEach]
    whole: Mapping[str, OfAll]

    def score(
        self, targets: np.ndarray, outputs: np.ndarray, metrics: Sequence[str]
    ) -> tuple[list[Values], Values]:
        """Return the metrics of each example, and those of all together.

        An example with an output that is not finite has none and is left out of the figures of all.
        What is undefined, as the AUC of one class, is left out.

        Args:
            targets, outputs: (n, ...). metrics: names; others are not computed.
        """
        axes = tuple(range(1, outputs.ndim))
        defined = np.isfinite(outputs).all(axis=axes)
        columns = {}
        for name, function in self.each.items():
            if name in metrics:
                columns[name] = function(targets, outputs)
        items: list[Values] = [{} for _ in outputs]
        for row in np.flatnonzero(defined):
            items[row] = {name: float(values[row]) for name, values in columns.items()}

        whole = {}
        for name, function_of_all in self.whole.items():
            if name in metrics and defined.any():
                with suppress(TinypruneError):
                    whole[name] = function_of_all(targets[defined], outputs[defined])
        return items, whole

    def value(self, metric: str, targets: np.ndarray, outputs: np.ndarray) -> float:
        """Return one metric of all examples; NaN where it is undefined."""
        return self.summary(metric, self.score(targets, outputs, [metric]))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all of them."""
        return (*self.each, *self.whole)

    def summary(self, metric: str, scored: tuple[Sequence[Values], Values]) -> float:
        """Return one metric of all examples that :meth:`score` found; NaN where it is undefined."""
        items, whole = scored
        values = [item[metric] for item in items if metric in item]
        mean = float(np.mean(values)) if values else math.nan
        return whole.get(metric, mean)


CLASSES = Measures(
    {"accuracy": accuracy_of_each}, {"auc": auc, "balanced_accuracy": balanced_accuracy, "f1": f1}
)
LABELS = Measures({"accuracy": accuracy_of_each}, {"auc": auc, "f1": f1})
NUMBERS = Measures({"mse": squared_errors, "mae": absolute_errors}, {"r2": r2})
