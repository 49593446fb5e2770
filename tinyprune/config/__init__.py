"""The whole configuration of a run: dataclasses, read from TOML. Unknown keys are errors with a suggestion.

Every error is one line that starts with the key as one would write it in ``--set``, e.g.
``prune.0.sparsity``.
"""

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tinyprune.config import parsing
from tinyprune.config.budget import BudgetConfig, as_texts
from tinyprune.config.data import NORMALISE, DataConfig
from tinyprune.config.data import complaints as data_complaints
from tinyprune.config.pruning import METHODS, SCOPES, LayerRule, PruneConfig, TargetConfig
from tinyprune.config.pruning import complaints as pruning_complaints
from tinyprune.errors import UsageError
from tinyprune.registry import DATASETS, IMPORTANCES, SCHEDULES, Registry

__all__ = [
    "LOSSES",
    "MODEL_FILES",
    "BudgetConfig",
    "DataConfig",
    "LayerRule",
    "ModelConfig",
    "PruneConfig",
    "RunConfig",
    "TargetConfig",
    "TrainConfig",
    "build",
    "check",
    "from_mapping",
    "to_mapping",
]

Config = TypeVar("Config")

LOSSES = ("si-sdr", "spectrum", "combined")
MODEL_FILES = (".keras", ".h5", ".hdf5")


@dataclass(frozen=True)
class ModelConfig:
    """Which network.

    Attributes:
        name: registry.MODELS, a file (.keras, .h5) or "package.module:function"; None: what fits
            the data.
        custom: modules with the custom layers and functions of a file.
    """

    name: str | None = None
    custom: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainConfig:
    """How the float32 baseline is trained.

    Attributes:
        epochs: passes over the training data; None: what fits the task, 0 for a model that is given
            with its weights.
        batch_size: sequences or examples per step; frames: STFT frames per sequence of speech.
        learning_rate: of Adam at its peak; it falls to a hundredth of it by a cosine. None: what
            fits the task.
        loss: of speech: "si-sdr", "spectrum" or "combined" (training/losses.py); classes have
            cross-entropy.
        seed: of the initial weights and of the order of the data.
    """

    epochs: int | None = None
    batch_size: int = 64
    frames: int = 100
    learning_rate: float | None = None
    loss: str = "si-sdr"
    seed: int = 0


@dataclass(frozen=True)
class RunConfig:
    """A whole run: data, model, training, prunings, targets, what they may cost."""

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    prune: tuple[PruneConfig, ...] = ()
    target: tuple[TargetConfig, ...] = (TargetConfig(),)
    budget: BudgetConfig = BudgetConfig()


def from_mapping(mapping: Mapping[str, Any]) -> RunConfig:
    """The configuration of nested tables, as TOML or JSON gives them. Raises UsageError that names the key."""
    return build(RunConfig, mapping)


def build(kind: type[Config], mapping: Mapping[str, Any]) -> Config:
    """One configuration dataclass of a table, checked, e.g. ``build(PruneConfig, {"sparsity": 0.9})``."""
    config = parsing.structure(kind, _with_texts(kind, mapping))
    check(config)
    return config


def _with_texts(kind: type, table: Any) -> Any:
    """The same table with limits as text, as BudgetConfig has them, at any depth; what is no table stays as it is."""
    if isinstance(table, list | tuple):
        return [_with_texts(kind, entry) for entry in table]
    if not isinstance(table, Mapping):
        return table
    if kind is BudgetConfig:
        return as_texts(table)
    inside = (
        {"budget": BudgetConfig, "prune": PruneConfig} if kind in (RunConfig, PruneConfig) else {}
    )
    return {
        key: _with_texts(inside[key], value) if key in inside else value
        for key, value in table.items()
    }


def to_mapping(config: Any) -> dict[str, Any]:
    """A configuration as plain JSON types: ``from_mapping(to_mapping(config)) == config``."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


_COUNT = (lambda value: value >= 1, "at least 1")
_POSITIVE = (lambda value: value is None or value > 0, "more than 0")
_MOMENT = (
    lambda value: value >= 0,
    "a fraction of the training up to 1, or a number of optimizer steps",
)

#: What the value of a field must be, wherever a field of that name occurs.
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "epochs": (lambda value: value is None or value >= 0, "at least 0"),
    "batch_size": _COUNT,
    "frames": _COUNT,
    "dev_utterances": _COUNT,
    "learning_rate": _POSITIVE,
    "minutes": _POSITIVE,
    "seed": (lambda value: value >= 0, "0 or more"),
    "sparsity": (lambda value: value is None or 0 <= value < 1, "a fraction in [0, 1), e.g. 0.8"),
    "begin": _MOMENT,
    "end": _MOMENT,
    "update_every": (lambda value: value is None or value >= 1, "at least 1"),
    "round_to": _COUNT,
    "clusters": (lambda value: value is None or 2 <= value <= 255, "2 to 255 values, e.g. 16"),
    "snr_db": (lambda value: value[0] <= value[1], "low:high with low <= high, e.g. -6:9"),
    "level_db": (
        lambda value: value[0] <= value[1] <= 0,
        "low:high with low <= high <= 0, e.g. -35:-15",
    ),
    "speed": (
        lambda value: 0.5 <= value[0] <= value[1] <= 2,
        "low:high with 0.5 <= low <= high <= 2, e.g. 0.9:1.1",
    ),
    "babble": (lambda value: 0 <= value <= 1, "a fraction in [0, 1], e.g. 0.2"),
    "words": (lambda value: all(value) and len(set(value)) == len(value), "words, each once"),
    "normalise": (lambda value: value in NORMALISE, f"one of: {', '.join(NORMALISE)}"),
    "image_size": (lambda value: value is None or value >= 1, "at least 1"),
    "hold_out": (lambda value: 0 < value < 1, "a fraction between 0 and 1, e.g. 0.1"),
    "loss": (lambda value: value in LOSSES, f"one of: {', '.join(LOSSES)}"),
    "method": (lambda value: value in METHODS, f"one of: {', '.join(METHODS)}"),
    "scope": (lambda value: value in SCOPES, f"one of: {', '.join(SCOPES)}"),
}

_NAMES: dict[tuple[type, str], Registry] = {
    (DataConfig, "name"): DATASETS,
    (PruneConfig, "schedule"): SCHEDULES,
    (PruneConfig, "importance"): IMPORTANCES,
}


def check(config: Any, where: str = "") -> None:
    """Raise UsageError for the first value of a configuration that makes no sense. ``where``: prefix of its keys."""
    for name, value in vars(config).items():
        if (type(config), name) in _NAMES:
            _NAMES[type(config), name].check(value)
        elif name in _RULES and not _RULES[name][0](value):
            raise UsageError(f"{where}{name}: expected {_RULES[name][1]}, got {value}")
        for part, child in _children(value):
            check(child, f"{where}{name}.{part}")
    for name, complaint in _complaints(config):
        raise UsageError(f"{where}{name}: {complaint}")


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    """The configurations inside a value, each with its part of a dotted key."""
    if dataclasses.is_dataclass(value):
        yield "", value
    elif isinstance(value, tuple):
        yield from (
            (f"{index}.", entry)
            for index, entry in enumerate(value)
            if dataclasses.is_dataclass(entry)
        )


def _complaints(config: Any) -> Iterator[tuple[str, str]]:
    """What is wrong between the values of one configuration: (key, complaint) pairs."""
    if isinstance(config, DataConfig):
        yield from data_complaints(config)
    elif isinstance(config, PruneConfig):
        yield from pruning_complaints(config)
    elif isinstance(config, BudgetConfig):
        yield from config.complaints()
    elif isinstance(config, RunConfig):
        names = [prune.variant for prune in config.prune]
        yield from (
            (f"prune.{i}.name", f"'{n}' is there twice")
            for i, n in enumerate(names)
            if n in names[:i]
        )
        if not config.target:
            yield "target", "expected at least one [[target]]"
