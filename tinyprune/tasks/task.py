"""What a network is for. A task knows its data; the stages of a run know only this interface."""

from collections.abc import Sequence
from typing import Protocol

import keras

from tinyprune.array_types import Float32Array
from tinyprune.artifacts.quality import Quality, TaskRecord
from tinyprune.config import TrainConfig
from tinyprune.export.forward import Forward
from tinyprune.metrics.scores import Scores
from tinyprune.training.fit import Learner

#: What :class:`Scores` calls the unprocessed input, and its form.
NOISY, NOISY_FORM = "-", "noisy"


class Task(Protocol):
    """Data, how they are learned, and how well a network does on them.

    Attributes:
        record: its name, the metric that chooses, what the device runs.
        inputs: shape of one input of the network, without the batch axis; None where it may vary.
        outputs: size of the last axis of the network's output.
        default_model: registry.MODELS.
        default_epochs, learning_rate: of a baseline, where none are given.
        prune_epochs, prune_learning_rate: of a pruning.
        tolerance: how far ``record.metric`` of the int8 graph may be from that of the
            fake-quantized network.
    """

    record: TaskRecord
    inputs: tuple[int | None, ...]
    outputs: int
    default_model: str
    default_epochs: int
    learning_rate: float
    prune_epochs: int
    prune_learning_rate: float
    tolerance: float

    @property
    def frontend(self) -> object:
        """The record of how raw data become the network's input."""

    def learner(
        self, config: TrainConfig, seed: int, teacher: keras.Model | None = None
    ) -> Learner:
        """What trains a network: batches, loss, and the score on dev."""

    def calibration(self) -> Float32Array:
        """Inputs that activation ranges are measured on, (n, ...); of sequences, consecutive frames (n, features)."""

    def scores(
        self, forward: Forward, form: str, split: str, metrics: Sequence[str], model: str = ""
    ) -> Scores:
        """What a function from inputs (batch, ...) to outputs (batch, ...) can do on every item of a split.

        ``metrics``: registered names, of this task. ``model``, ``form``: what the scores are
        called.
        """

    def unprocessed_scores(self, split: str, metrics: Sequence[str]) -> Scores | None:
        """The same of the input as it is, where that means something."""

    def quality(self, forward: Forward, form: str, split: str, model: str = "") -> Quality:
        """How well a function does on a split, in the few metrics that an export is checked with."""

    def unprocessed(self, split: str) -> Quality | None:
        """How good the input is as it is, where that means something."""
