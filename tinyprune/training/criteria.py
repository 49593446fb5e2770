"""Criteria: the loss of the output of a network, or of several outputs together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import tensorflow as tf

from tinyprune.training.endings import Ending, ending, endings
from tinyprune.training.example_losses import ExampleLoss


@dataclass(frozen=True)
class Answer:
    """One output of a network on a batch.

    Attributes:
        values: (n, ...). ending: the function that they come out of.
    """

    values: tf.Tensor
    ending: Ending


def answers(model: keras.Model, outputs: Any) -> Any:
    """Return the answer of a model whose call gave ``outputs``; of several outputs, by name."""
    if not isinstance(outputs, Mapping):
        return Answer(outputs, ending(model))
    return {name: Answer(outputs[name], end) for name, end in endings(model).items()}


class Criterion(Protocol):
    """The loss of an output; of several outputs, targets and answers are there by name."""

    def loss(self, targets: Any, answer: Any) -> tf.Tensor:
        """Return the mean loss of the examples, a scalar. ``targets``: (n, ...)."""

    def imitation(self, taught: Any, answer: Any) -> tf.Tensor:
        """Return the distance from the answer of a teacher, a scalar."""


@dataclass(frozen=True)
class DistanceCriterion:
    """A loss of each example, of targets and outputs.

    Attributes:
        of_targets: of (targets, outputs). of_teacher: of (outputs of a teacher, outputs).
        activation: what outputs of a network without it are put through before; None: nothing.
    """

    of_targets: ExampleLoss
    of_teacher: ExampleLoss
    activation: Ending | None = None

    def loss(self, targets: tf.Tensor, answer: Answer) -> tf.Tensor:
        """Return the mean loss of the examples."""
        return tf.reduce_mean(self.of_targets(targets, self._activated(answer)))

    def imitation(self, taught: Answer, answer: Answer) -> tf.Tensor:
        """Return the mean distance from the outputs of the teacher."""
        wanted = tf.stop_gradient(self._activated(taught))
        return tf.reduce_mean(self.of_teacher(wanted, self._activated(answer)))

    def _activated(self, answer: Answer) -> tf.Tensor:
        """Return outputs with the activation, which a model may have already."""
        if self.activation in (None, answer.ending):
            return answer.values
        return keras.activations.get(self.activation.value)(answer.values)


@dataclass(frozen=True)
class OwnCriterion:
    """The loss of a user, of targets and outputs; of several outputs, of dicts of them.

    Attributes:
        of_targets: of (targets, outputs), of each example or their mean.
        of_teacher: of (outputs of a teacher, outputs) of one output, of each example.
    """

    of_targets: Callable[[Any, Any], tf.Tensor]
    of_teacher: ExampleLoss

    def loss(self, targets: Any, answer: Any) -> tf.Tensor:
        """Return the mean loss of the examples."""
        return tf.reduce_mean(self.of_targets(targets, _values(answer)))

    def imitation(self, taught: Any, answer: Any) -> tf.Tensor:
        """Return the mean distance from the outputs of the teacher, added up over outputs."""
        pairs = zip(
            keras.tree.flatten(_values(taught)), keras.tree.flatten(_values(answer)), strict=True
        )
        terms = [
            tf.reduce_mean(self.of_teacher(tf.stop_gradient(wanted), values))
            for wanted, values in pairs
        ]
        return tf.add_n(terms)


def _values(answer: Any) -> Any:
    """Return the values of an answer, or of those of several outputs by name."""
    if isinstance(answer, Answer):
        return answer.values
    return {name: one.values for name, one in answer.items()}


@dataclass(frozen=True)
class WeightedSum:
    """The criteria of several outputs, ``sum(weight * loss)``.

    Attributes:
        criteria: output -> its criterion. weights: output -> its weight.
    """

    criteria: Mapping[str, Criterion]
    weights: Mapping[str, float]

    def loss(self, targets: Mapping[str, tf.Tensor], answer: Mapping[str, Answer]) -> tf.Tensor:
        """Return the sum of the losses of the outputs."""
        return self._sum(lambda name, one: one.loss(targets[name], answer[name]))

    def imitation(self, taught: Mapping[str, Answer], answer: Mapping[str, Answer]) -> tf.Tensor:
        """Return the sum of the distances from a teacher."""
        return self._sum(lambda name, one: one.imitation(taught[name], answer[name]))

    def _sum(self, of_output: Callable[[str, Criterion], tf.Tensor]) -> tf.Tensor:
        terms = [self.weights[name] * of_output(name, one) for name, one in self.criteria.items()]
        return tf.add_n(terms)
