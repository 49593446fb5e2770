"""The network of a run before it is trained: which one, how it is to be trained, and its first weights."""

from dataclasses import replace
from pathlib import Path

import keras

from tinyprune.config import ModelConfig, RunConfig, TrainConfig
from tinyprune.models.own import is_own, load
from tinyprune.registry import MODELS
from tinyprune.storage.run_folder import sha256
from tinyprune.tasks.shape_check import check_fits
from tinyprune.tasks.task import Task


def resolved(config: RunConfig, task: Task) -> tuple[ModelConfig, TrainConfig, dict[str, str]]:
    """Model and training with what was left open filled in, and the hash of a file that the model comes from."""
    model = config.model if config.model.name else replace(config.model, name=task.default_model)
    name = str(model.name)
    is_file = is_own(name) and Path(name).is_file()
    epochs = task.default_epochs if config.train.epochs is None else config.train.epochs
    train = replace(
        config.train,
        epochs=0 if is_file and config.train.epochs is None else epochs,
        learning_rate=config.train.learning_rate or task.learning_rate,
    )
    return model, train, {"model_sha256": sha256(Path(name))} if is_file else {}


def network(config: ModelConfig, train: TrainConfig, task: Task) -> keras.Model:
    """The network to train: a registered one of the task's sizes, or the user's own."""
    keras.utils.set_random_seed(train.seed)
    name = str(config.name)
    model = load(name, config.custom) if is_own(name) else MODELS[name](task.inputs, task.outputs)
    check_fits(model, task)
    return model
