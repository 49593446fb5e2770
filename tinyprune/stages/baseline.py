"""The float32 baseline of a run: which network, its first weights, its training."""

import hashlib
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras

from tinyprune.compress.fold import fold
from tinyprune.compress.prepare import prepare, strip
from tinyprune.config import ModelConfig, RunConfig, TrainConfig
from tinyprune.config.run import SOFT
from tinyprune.config.settings import quick_epochs
from tinyprune.errors import UsageError
from tinyprune.metrics.metric import Metric, metric_of
from tinyprune.models.gates import require_gates
from tinyprune.models.loading.files import load_weights
from tinyprune.models.loading.own import is_own
from tinyprune.models.widths import sizes
from tinyprune.registry import MODELS
from tinyprune.stages.convertible import check_convertible
from tinyprune.stages.own_networks import load
from tinyprune.stages.saving import save_network
from tinyprune.storage.digests import sha256
from tinyprune.storage.records import write_json
from tinyprune.tasks.shape_check import fitted
from tinyprune.tasks.task import Task
from tinyprune.training.fit import Fit

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ResolvedTraining:
    """The training of a baseline, with what the configuration left open filled in.

    Attributes:
        model: the network; it has a name.
        train: its training; epochs and learning rate are numbers.
        source: "model_sha256", "weights_sha256" -> SHA-256 of the file that the model or its
            weights come from; empty where they come from no file.
    """

    model: ModelConfig
    train: TrainConfig
    source: dict[str, str]


def keeps_weights(config: RunConfig) -> bool:
    """Return whether the weights of the network come from a file and are not trained."""
    name = str(config.model.name)
    is_file = is_own(name) and Path(name).is_file()
    has_weights = is_file or config.model.weights is not None
    return has_weights and not config.train.epochs


def resolve(config: RunConfig, task: Task) -> ResolvedTraining:
    """Fill in what a configuration leaves to the task.

    A network in a file comes with its weights, and another one may have a file of them: where no
    epochs are given it is not trained.
    """
    model = config.model if config.model.name else replace(config.model, name=task.default_model)
    source = _source(model)
    epochs = config.train.epochs
    if epochs is None:
        epochs = 0 if keeps_weights(config) else task.default_epochs
    if config.train.quick:
        epochs = quick_epochs(epochs)
    rate = config.train.learning_rate or task.learning_rate
    train = replace(config.train, epochs=epochs, quick=False, learning_rate=rate)
    return ResolvedTraining(model, train, source)


def _source(model: ModelConfig) -> dict[str, str]:
    """Return the SHA-256 of the files that the weights of a network come from."""
    source = {}
    path = Path(str(model.name))
    if is_own(str(model.name)) and path.exists():
        source["model_sha256"] = _sha256(path)
    if model.weights is not None:
        source["weights_sha256"] = sha256(Path(model.weights))
    return source


def _sha256(path: Path) -> str:
    """Return the SHA-256 of a file, or of those of all files in a folder."""
    if path.is_file():
        return sha256(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    digests = "".join(map(sha256, files))
    return hashlib.sha256(digests.encode()).hexdigest()


def build_network(config: ModelConfig, train: TrainConfig, task: Task) -> keras.Model:
    """Build a registered network in the sizes of the task, or load the user's own.

    Raises UsageError for a network whose shapes are not those of the task, or whose gates cannot be
    chosen.
    """
    keras.utils.set_random_seed(train.seed)
    name = str(config.name)
    require_gates(name, config.gates)
    if is_own(name):
        return fitted(load(name, config.custom, config.weights), task)
    model = _registered(config, task)
    if config.weights is not None:
        load_weights(model, Path(config.weights), name)
    return fitted(model, task)


def _registered(config: ModelConfig, task: Task) -> keras.Model:
    """Return a registered network, its last layer with the activation that the task needs."""
    if isinstance(task.input_shape, dict) or isinstance(task.output_shape, dict):
        raise UsageError(
            "the data have several inputs or outputs, and registered networks one of each: "
            "give a network of your own, --model FILE or --model module:function"
        )
    name = str(config.name)
    build = MODELS[name]
    settings: dict[str, Any] = sizes(build, name, config.width)
    if task.activation:
        settings["activation"] = task.activation
    if config.gates != SOFT:  # of a network that has them
        settings["gates"] = config.gates
    model: keras.Model = build(task.input_shape, task.output_shape[-1], **settings)
    return model


def fit_baseline(model: keras.Model, task: Task, config: TrainConfig, folder: Path) -> list[str]:
    """Train a network in float32, or continue where it was interrupted.

    Args:
        model: the network; 0 epochs keep its weights.
        task: data and loss.
        config: the training, resolved.
        folder: of the variant, which is the baseline, or another width of it.

    Returns the names of the files it made.
    """
    prepared = prepare(
        model, masked=False, quantized=False
    )  # refuses what the converter crashes on
    check_convertible(fold(model), task)
    learner = task.learner(config, config.seed)

    history = []
    if config.epochs:
        assert config.learning_rate, "it is resolved before a training"
        fit = Fit(prepared, learner, config.epochs, config.learning_rate, folder)
        fit.run(folder.name)
        model = strip(prepared, model)
        score = fit.best
        history = ["history.csv"]
    else:
        score = learner.score(model)

    _log_score(task, metric_of(learner.metric), score or 0.0, folder)
    write_json(folder / "frontend.json", task.frontend)
    write_json(folder / "task.json", task.record)
    return [*save_network(model, folder), *history, "frontend.json", "task.json"]


def _log_score(task: Task, metric: Metric, score: float, folder: Path) -> None:
    """Log the score on dev, beside that of the unprocessed input where it has one."""
    unprocessed = task.unprocessed("dev")
    beside = ""
    if unprocessed and unprocessed.metrics:
        number = metric.with_unit(unprocessed.metrics[metric.name])
        beside = f", {number} in the noisy input"
    log.info("%s: dev %s%s; in %s", folder.name, metric.in_words(score), beside, folder)
