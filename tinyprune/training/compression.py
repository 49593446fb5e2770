"""What happens to a network while it trains, besides learning: masks that follow a schedule, gates, removed units."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy.typing as npt
import tensorflow as tf

from tinyprune.compress.mask_updater import MaskUpdater
from tinyprune.sparsity.importance import FROM_GRADIENTS

#: (layer, name of a weight, array of its shape) -> the array as the new model has it
Slots = Callable[[keras.Layer, str, npt.NDArray], npt.NDArray]


@dataclass(frozen=True)
class Replacement:
    """A network that a training goes on with in place of the one that it had.

    Attributes:
        model: with its state; its trainable variables are those of the old one, in the same order.
        slots: turns what the optimizer knows of each weight.
    """

    model: keras.Model
    slots: Slots


class Course:
    """What :class:`tinyprune.training.fit.Fit` asks while it trains; here nothing happens."""

    @property
    def learned(self) -> list[Any]:
        """Variables that gradients are wanted of, besides the model's."""
        return []

    @property
    def variables(self) -> list[Any]:
        """Variables that a checkpoint needs, besides the model's."""
        return []

    def penalty(self) -> tf.Tensor | float:
        """In the compiled step: what is added to the loss."""
        return 0.0

    def observe(self, variables: list[Any], gradients: list[tf.Tensor]) -> None:
        """In the compiled step: the model's trainable variables and then ``learned``, and their gradients."""

    def before_step(self, step: int) -> None:
        """Before optimizer step ``step``, from 0."""

    def after_step(self, loss: float) -> None:
        """After each optimizer step, with its loss."""

    def counts(self, step: int) -> bool:
        """Whether the epoch that ended after that many steps may be the best one."""
        del step
        return True

    def after_epoch(self, epoch: int) -> Replacement | None:
        """After epoch ``epoch``, from 1: the network to go on with, if it is another."""
        del epoch
        return None

    def note(self) -> str:
        """What the line of an epoch says beside loss and score."""
        return ""

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs besides variables, as JSON has it."""
        return {}

    def restore(self, state: dict[str, Any]) -> keras.Model | None:
        """Take a checkpoint's state back; the network that it is of, its variables not yet set, if it is another."""
        del state
        return None

    def resumed(self) -> None:
        """After variables, too, are those of the checkpoint."""


class Masking(Course):
    """Masks that follow their schedule."""

    def __init__(self, updater: MaskUpdater) -> None:
        self._updater, self._salient = updater, updater.plan.importance in FROM_GRADIENTS

    def before_step(self, step: int) -> None:
        """Rank and mask."""
        self._updater.update(step)

    def observe(self, variables: list[Any], gradients: list[tf.Tensor]) -> None:
        """Importances that follow gradients see them."""
        if self._salient:
            self._updater.observe(variables, gradients)

    def counts(self, step: int) -> bool:
        """Epochs after the last change of the masks do."""
        return self._updater.final(step)
