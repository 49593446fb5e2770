"""The normalisation of a network's input: that of the data, or none where the network has its own.

TensorFlow is imported where a network of the user's own is looked at.
"""

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tinyprune.config import DataConfig, RunConfig
from tinyprune.config.data import NORMALISE, RAW, STANDARD
from tinyprune.metrics.metric import metric_of
from tinyprune.models.loading.own import is_own
from tinyprune.stages.run import Run
from tinyprune.storage.run_folder import Variant
from tinyprune.tasks import lookup
from tinyprune.tasks.task import Task

if TYPE_CHECKING:
    import keras

log = logging.getLogger(__name__)
ACCURACY = "accuracy"
#: Metrics up to 1 that say which normalisation is the right one.
TELLING = (ACCURACY, "f1", "r2")
#: Another normalisation is taken for the right one if it has so much more of them.
CLEARLY_BETTER = 0.1


def settled(run: Run, config: RunConfig, baseline: Variant) -> DataConfig:
    """Return the data of a training, with the normalisation that fits the network.

    Where none is given it is the one that this baseline was begun with; else none for a network
    that scales its input itself, and "standard" for others. A file that keeps its weights knows one
    normalisation only: where its accuracy is nearer to chance than to 1, it is scored under each.
    One that is clearly better is taken, or named where another one was given.

    Args:
        run: the run, which loads the data.
        config: data, model and training.
        baseline: the variant that is trained, begun or not.

    Raises UsageError for a network that does not fit the data.
    """
    data = config.data.without_test_folders()
    normalisations = data.normalisations()
    name = STANDARD
    if not normalisations:
        return data
    model = baseline.claimed_as("model") or {}
    if model and model["name"] == config.model.name:
        name = baseline.configuration()["data"].get("normalise", STANDARD)
    elif is_own(str(config.model.name)):
        return _fitting(run, config, normalisations)
    return data if data.is_settled else normalisations[name]


def _fitting(run: Run, config: RunConfig, normalisations: dict[str, DataConfig]) -> DataConfig:
    """Return the data with the normalisation that fits a network of the user's own."""
    from tinyprune.stages import baseline

    task = lookup.task_of(run.load_dataset(normalisations[RAW]), config.train)
    resolved = baseline.resolve(config, task)
    network = baseline.build_network(resolved.model, resolved.train, task)
    is_given = config.data.is_settled
    chosen = config.data.without_test_folders()
    if not is_given:
        settings: dict[str, Any] = {"normalise": _default(network)}
        chosen = replace(chosen, **settings)
    if resolved.train.epochs or task.metric not in TELLING:
        return chosen

    scores = _Scores(run, config, network)
    if task.metric == ACCURACY and not scores.is_near_chance(chosen):
        return chosen
    best = max(normalisations.values(), key=scores.of)
    if scores.of(best) < scores.of(chosen) + CLEARLY_BETTER:
        return chosen
    found = f"data.normalise={_name(best)}"
    log.warning(
        "dev %s is %.3f with data.normalise=%s and %.3f with %s%s",
        metric_of(task.metric).label,
        scores.of(chosen),
        _name(chosen),
        scores.of(best),
        found,
        f": try --set {found}" if is_given else ", which is taken",
    )
    return chosen if is_given else best


def _default(network: "keras.Model") -> str:
    """Return the normalisation of a network for which none is given; of several inputs, each."""
    layers = own_scalings(network)
    chosen = dict.fromkeys(layers, STANDARD)
    for name, layer in layers.items():
        if layer:
            of = f" '{name}'" if len(layers) > 1 else ""
            log.info(
                "the network scales its input%s itself, by '%s': it is not normalised", of, layer
            )
            chosen[name] = RAW
    if len(set(chosen.values())) == 1:
        return next(iter(chosen.values()))
    return ",".join(f"{name}={one}" for name, one in chosen.items())


def own_scalings(network: "keras.Model") -> dict[str, str]:
    """Return input -> the first layer by which a network scales it itself, or an empty text."""
    from tinyprune.compress.fold import fold
    from tinyprune.compress.input_scaling import input_scaling
    from tinyprune.models.ends import input_names

    flat = fold(network)
    layers = {}
    for number, name in enumerate(input_names(flat)):
        scaling = input_scaling(flat, number)
        layers[name] = scaling.nodes[0].operation.name if scaling else ""
    return layers


def warn_of_two_scalings(network: "keras.Model", task: Task, name: str) -> None:
    """Warn where a network scales an input that the front end has normalised already."""
    normalise = getattr(task.frontend, "normalise", RAW)
    layer = next(filter(None, own_scalings(network).values()), "")
    if layer and normalise in (*NORMALISE,) and normalise != RAW:
        log.warning(
            "%s scales its input itself, by '%s', and this run normalises it (%s): "
            "its scores are not those of its own pixels",
            name,
            layer,
            normalise,
        )


def _name(data: Any) -> str:
    """Return the normalisation of data."""
    return str(data.normalise)


@dataclass
class _Scores:
    """The metric of a network on dev under normalisations, each measured once.

    Attributes:
        run: loads the data.
        config: of the training.
        network: with the weights that are kept.
    """

    run: Run
    config: RunConfig
    network: "keras.Model"

    def __post_init__(self) -> None:
        self._known: dict[DataConfig, float] = {}

    def of(self, data: DataConfig) -> float:
        """Return the accuracy under the normalisation of data."""
        if data not in self._known:
            task = lookup.task_of(self.run.load_dataset(data), self.config.train)
            learner = task.learner(self.config.train, self.config.train.seed)
            self._known[data] = learner.score(self.network)
        return self._known[data]

    def is_near_chance(self, data: DataConfig) -> bool:
        """Return whether the accuracy is nearer to that of the most frequent class than to 1."""
        dataset: Any = self.run.load_dataset(data)
        labels = dataset.split("dev").labels
        chance = np.bincount(labels).max() / len(labels)
        return bool(self.of(data) < (1 + chance) / 2)
