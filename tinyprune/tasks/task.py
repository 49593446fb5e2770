"""What a network is for. A task knows its data; the stages of a run know only this interface."""

from collections.abc import Callable
from typing import Protocol

import keras

from tinyprune.artifacts import Quality, TaskRecord
from tinyprune.audio.stft import Array
from tinyprune.config import TrainConfig
from tinyprune.training.fit import Learner

Forward = Callable[[Array], Array]


class Task(Protocol):
    """Data, how they are learned, and how well a network does on them.

    Attributes:
        record: its name, the metric that chooses, what the device runs.
        inputs: shape of one input of the network, without the batch axis; None where it may vary.
        outputs: size of the last axis of the network's output.
        default_model: registry.MODELS.
        default_epochs, learning_rate: of a baseline, where none are given.
        prune_epochs, prune_learning_rate: of a pruning.
        tolerance: how far ``record.metric`` of the int8 graph may be from that of the fake-quantized network.
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

    def learner(self, config: TrainConfig, seed: int, teacher: keras.Model | None = None) -> Learner:
        """What trains a network: batches, loss, and the score on dev."""

    def calibration(self) -> Array:
        """Inputs that activation ranges are measured on, (n, ...); of sequences, consecutive frames (n, features)."""

    def quality(self, forward: Forward, form: str, split: str) -> Quality:
        """How well a function from inputs (batch, ...) to outputs (batch, ...) does on a split."""

    def unprocessed(self, split: str) -> Quality | None:
        """How good the input is as it is, where that means something."""
