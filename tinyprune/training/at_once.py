"""Several sparsities in one training: weights are shared, masks and statistics are not.

Yu et al. 2019, "Slimmable Neural Networks", arXiv 1812.08928, with statistics of each width, and
Nunez et al. 2021, "LCS: Learning Compressible Subspaces", arXiv 2110.04252.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf

from tinyprune.training.compression import Compression, Replacement
from tinyprune.training.fit import Batch, Learner

Answer = TypeVar("Answer")


class LevelsAtOnce(Compression):
    """Levels that take turns, an optimizer step each, in one network.

    Each level has a compression of its own, which sees the steps that are its turn. Everything in
    the network that is not learned belongs to the level whose turn it is: masks, ranges of
    activations, statistics of normalisers, values of palettes. What is learned is shared.
    """

    def __init__(self, model: keras.Model, levels: Sequence[Callable[[], Compression]]) -> None:
        """Give every level the state that the network has now.

        Args:
            model: the network to train.
            levels: makes the compression of each level, which may change the network.
        """
        self._own = list(model.non_trainable_variables)
        before = [variable.numpy().copy() for variable in self._own]
        self._parts: list[Compression] = []
        self._states: list[list[keras.Variable]] = []
        for make in levels:
            self._set(before)
            self._parts.append(make())
            self._states.append([_copy(variable) for variable in self._own])
        self._turn = len(self._parts) - 1

    @property
    def levels(self) -> int:
        """The number of levels."""
        return len(self._parts)

    @property
    def variables(self) -> list[Any]:
        """The states of all levels: of the level whose turn it is, those of its last turn's end."""
        return [variable for state in self._states for variable in state]

    @property
    def kept(self) -> list[Any]:
        """The states of all levels, which the best epoch needs too."""
        return self.variables

    def switch(self, level: int) -> None:
        """Let the network be that of a level."""
        self._store()
        self._turn = level
        self._set(self._states[level])

    def of_each(self, ask: Callable[[], Answer]) -> list[Answer]:
        """Return what is asked of the network of each level; it ends as that of the last one."""
        answers = []
        for level in range(self.levels):
            self.switch(level)
            answers.append(ask())
        self._store()
        return answers

    def observe(self, variables: list[Any], gradients: list[tf.Tensor]) -> None:
        """Show gradients to the level whose turn it is: what it remembers is in the network."""
        self._parts[0].observe(variables, gradients)

    def before_step(self, step: int) -> None:
        """Let the next level have its turn."""
        self.switch(step % self.levels)
        self._parts[self._turn].before_step(step // self.levels)

    def after_epoch(self, epoch: int) -> Replacement | None:
        """Check every level."""
        self.of_each(lambda: self._parts[self._turn].after_epoch(epoch))
        return None

    def may_be_best(self, step: int) -> bool:
        """Return whether the masks of no level change any more."""
        return all(part.may_be_best(step // self.levels) for part in self._parts)

    def resumed(self) -> None:
        """Go on with the network of the last level, which every epoch ends with."""
        self._turn = self.levels - 1

    def _store(self) -> None:
        for kept, variable in zip(self._states[self._turn], self._own, strict=True):
            kept.assign(variable)

    def _set(self, state: Iterable[Any]) -> None:
        for variable, value in zip(self._own, state, strict=True):
            variable.assign(value)


def _copy(variable: keras.Variable) -> keras.Variable:
    return keras.Variable(variable.numpy(), dtype=variable.dtype, trainable=False)


class LearnerAtOnce(Learner):
    """A learner whose score is the mean over the levels. Attributes: metric."""

    def __init__(self, learner: Learner, levels: LevelsAtOnce) -> None:
        """``learner``: of one level. ``levels``: whose networks are scored."""
        self.metric = learner.metric
        self._learner = learner
        self._levels = levels

    def loss(self, model: keras.Model, batch: tuple[tf.Tensor, ...]) -> tf.Tensor:
        """Return the scalar loss of a batch. Part of the compiled step."""
        return self._learner.loss(model, batch)

    def batches(self, epoch: int) -> Iterable[Batch]:
        """Return the batches of an epoch."""
        return self._learner.batches(epoch)

    def steps_per_epoch(self) -> int:
        """Return the number of batches of an epoch."""
        return self._learner.steps_per_epoch()

    def score(self, model: keras.Model) -> float:
        """Return the mean of the scores of all levels on dev."""
        return float(np.mean(self._levels.of_each(lambda: self._learner.score(model))))
