"""Compression while a network trains: masks that follow a schedule, gates, units that are removed.

A :class:`Compression` is the one thing that the fit loop asks besides the learner.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy.typing as npt
import tensorflow as tf

from tinyprune.compress.mask_updater import MaskUpdater
from tinyprune.compress.palette_updater import PaletteUpdater
from tinyprune.sparsity.importance import FROM_GRADIENTS

#: (layer, name of a weight, array of its shape) -> the array as the new model has it
Slots = Callable[[keras.Layer, str, npt.NDArray], npt.NDArray]


@dataclass(frozen=True)
class Replacement:
    """A network that a training goes on with in place of the one that it had.

    Attributes:
        model: with its state; its trainable variables are those of the old one, in the same order.
        slots: turns the optimizer's averages of each weight.
    """

    model: keras.Model
    slots: Slots


class Compression:
    """The interface of a compression, and one that does nothing."""

    @property
    def learned(self) -> list[Any]:
        """Variables whose gradients are computed, besides the model's."""
        return []

    @property
    def variables(self) -> list[Any]:
        """Variables that a checkpoint needs, besides the model's."""
        return []

    @property
    def kept(self) -> list[Any]:
        """Variables that the best epoch needs, besides the model's."""
        return []

    def added_loss(self) -> tf.Tensor | float:
        """Return the term that is added to the loss. Part of the compiled step."""
        return 0.0

    def observe(self, variables: list[Any], gradients: list[tf.Tensor]) -> None:
        """See the gradients of a step. Part of the compiled step.

        ``variables``: the model's trainable ones, then ``learned``.
        """

    def before_step(self, step: int) -> None:
        """Act before optimizer step ``step``, from 0."""

    def after_step(self, loss: float) -> None:
        """Act after an optimizer step with this loss."""

    def may_be_best(self, step: int) -> bool:
        """Return whether the epoch that ended after that many steps may be the best one."""
        del step
        return True

    def after_epoch(self, epoch: int) -> Replacement | None:
        """Act after epoch ``epoch``, from 1. Return another network to go on with, if any."""
        del epoch
        return None

    def note(self) -> str:
        """Return the text that the line of an epoch has beside loss and score."""
        return ""

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint needs besides variables, as JSON has it."""
        return {}

    def restore(self, state: dict[str, Any]) -> keras.Model | None:
        """Take the state of a checkpoint back.

        Returns the network that the checkpoint is of, if it is another; its variables are set
        later.
        """
        del state
        return None

    def resumed(self) -> None:
        """Act after variables, too, are those of the checkpoint."""


class ScheduledMasks(Compression):
    """Masks that follow their schedule; a training whose masks have closed every way stops."""

    def __init__(
        self,
        updater: MaskUpdater,
        check: Callable[[], None] | None = None,
        palettes: PaletteUpdater | None = None,
    ) -> None:
        """Follow a schedule.

        Args:
            updater: of the masks.
            check: raises CheckFailed where the network is destroyed; called after each epoch.
            palettes: what finds the few values of kernels; None where they have many.
        """
        self._updater = updater
        self._check = check
        self._palettes = palettes
        self._follows_gradients = updater.plan.importance in FROM_GRADIENTS

    def before_step(self, step: int) -> None:
        """Rank and mask, then find the few values of what is left."""
        has_masked = self._updater.update(step)
        if self._palettes and (has_masked or self._palettes.is_due(step, self._updater.steps)):
            self._palettes.update()

    def observe(self, variables: list[Any], gradients: list[tf.Tensor]) -> None:
        """Show gradients to the importance, if it follows them."""
        if self._follows_gradients:
            self._updater.observe(variables, gradients)

    def after_epoch(self, epoch: int) -> Replacement | None:
        """Check that the network is not destroyed; it goes on itself."""
        if self._check is not None:
            self._check()
        return None

    def may_be_best(self, step: int) -> bool:
        """Return whether the masks change no more."""
        return self._updater.final(step)
