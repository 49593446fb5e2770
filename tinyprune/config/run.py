"""The whole configuration of a run, read from tables and written as a mapping.

Every error is one line that starts with the key as one would write it in ``--set``, e.g.
``prune.0.sparsity``.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from tinyprune.config.budget import BudgetConfig
from tinyprune.config.data import DataConfig, SyntheticSpeechData
from tinyprune.config.pruning import TargetConfig, TrainedPruning
from tinyprune.config.settings import (
    COUNT,
    MOST,
    POSITIVE,
    SEED,
    Complaint,
    Config,
    NamedRule,
    NameRule,
    Option,
    Rule,
    one_of,
    setting,
    setting_of,
)
from tinyprune.config.sweep import WIDTH, SweepConfig
from tinyprune.config.tables import read_table
from tinyprune.errors import UsageError
from tinyprune.registry import LOSSES

BALANCED = "balanced"
SOFT, HARD = "soft", "hard"
GATES = (SOFT, HARD)
AnyConfig = TypeVar("AnyConfig", bound=Config)

MODEL_FILES = (".keras", ".h5", ".hdf5")


def are_class_weights(text: str) -> bool:
    """Return whether a text says how much each class counts."""
    if text == BALANCED:
        return True
    try:
        weights = [float(part) for part in text.split(",")]
    except ValueError:
        return False
    return all(0 < weight < math.inf for weight in weights)


def are_loss_weights(text: str) -> bool:
    """Return whether a text says how much the loss of each output counts."""
    numbers = []
    for part in text.split(","):
        name, _, number = part.partition("=")
        if not name.strip():
            return False
        numbers.append(number)
    return BALANCED not in numbers and are_class_weights(",".join(numbers))


@dataclass(frozen=True)
class ModelConfig(Config):
    """The network."""

    name: str | None = setting(
        None,
        "Network to train: a name of `tinyprune list models`, FILE.keras, FILE.h5 or "
        "module:function.  [default: as fits the data]",
        option=Option("--model", metavar="MODEL"),
    )
    custom: tuple[str, ...] = setting(
        (),
        "Module with the custom layers and functions of FILE. May be repeated.",
        option=Option("--custom", "texts", "MODULE"),
    )
    width: float = setting(
        1.0,
        "What the numbers of channels and units of a registered network are multiplied by.",
        option=Option("--width", "positive"),
        rule=WIDTH,
    )
    weights: str | None = setting(
        None,
        "File with the weights of a network that --model builds: FILE.weights.h5, FILE.h5 or "
        "FILE.keras.",
        option=Option("--weights", "path", "FILE"),
        is_place=True,
    )
    gates: str = setting(
        SOFT,
        "Gates of tinylstm and tinygru: soft (sigmoid and tanh) or hard (straight lines cut off at "
        f"both ends, for fewer cycles; exported as explicit cells).  [default: {SOFT}]",
        option=Option("--gates", metavar="KIND"),
        rule=one_of(GATES),
    )


@dataclass(frozen=True)
class TrainConfig(Config):
    """The training of the float32 baseline.

    0 epochs, in a recipe, keep the weights of a model that comes with them. The learning rate falls
    to a hundredth of its peak by a cosine.
    """

    epochs: int | None = setting(
        None,
        "Number of passes over the training data.  [default: as fits the task]",
        option=Option("--epochs", "count"),
        rule=Rule(lambda value: 0 <= value <= MOST, f"at least 0, at most {MOST}"),
    )
    quick: bool = setting(
        False,
        "Whether a fifth of the epochs is enough: a first look.",
        option=Option("--quick", "switch"),
    )
    batch_size: int = setting(
        64,
        "Number of sequences or examples per optimizer step.",
        option=Option("--batch-size", "count"),
        rule=COUNT,
    )
    frames: int = setting(100, "Number of STFT frames per sequence of speech.", rule=COUNT)
    learning_rate: float | None = setting(
        None,
        "Learning rate of Adam at its peak.  [default: as fits the task]",
        option=Option("--learning-rate", "positive"),
        rule=POSITIVE,
    )
    loss: str = setting(
        "si-sdr",
        "Loss, see `tinyprune list losses`; of several outputs one each, such as "
        "kind=focal,box=huber.  [default: as fits the task]",
        option=Option("--loss", metavar="NAME"),
        rule=NamedRule(NameRule(LOSSES)),
    )
    loss_weights: str | None = setting(
        None,
        "Weight of the loss of each of several outputs, such as kind=1,box=0.5.  [default: 1]",
        option=Option("--loss-weights", metavar="WEIGHTS"),
        rule=Rule(are_loss_weights, "OUTPUT=NUMBER,... above 0, such as kind=1,box=0.5"),
    )
    class_weights: str | None = setting(
        None,
        "Weight of each class in the loss: balanced (rare classes count more), or one number per "
        "class such as 1,2.5,1.  [default: all count alike]",
        option=Option("--class-weights", metavar="WEIGHTS"),
        rule=Rule(are_class_weights, "balanced, or numbers above 0 such as 1,2.5,1"),
    )
    seed: int = setting(
        0,
        "Seed of the initial weights and of the order of the data.",
        option=Option("--seed", "seed"),
        rule=SEED,
    )


@dataclass(frozen=True)
class RunConfig(Config):
    """A whole run: data, model, training, prunings, targets, limits, and a sweep over prunings."""

    data: DataConfig = SyntheticSpeechData()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    prune: tuple[TrainedPruning, ...] = ()
    target: tuple[TargetConfig, ...] = (TargetConfig(),)
    budget: BudgetConfig = BudgetConfig()
    sweep: SweepConfig = SweepConfig()

    def complaints(self) -> list[Complaint]:
        """Return variants of the same name, and targets that are missing."""
        complaints = []
        names: list[str] = []
        for index, pruning in enumerate(self.prune):
            name = pruning.variant
            if name in names:
                complaints.append((f"prune.{index}.name", f"'{name}' is there twice"))
            names.append(name)
        if not self.target:
            complaints.append(("target", "expected at least one [[target]]"))
        return complaints


@overload
def from_mapping(mapping: Mapping[str, Any]) -> RunConfig: ...


@overload
def from_mapping(mapping: Mapping[str, Any], kind: type[AnyConfig]) -> AnyConfig: ...


def from_mapping(mapping: Mapping[str, Any], kind: Any = RunConfig) -> Any:
    """Return the checked configuration of nested tables, as TOML or JSON gives them.

    Args:
        mapping: the tables.
        kind: the configuration that they are; of a family, the base of its members, or one of them,
            e.g. ``from_mapping({"sparsity": 0.9}, PruneConfig)``.

    Raises UsageError that names the key.
    """
    config = read_table(kind, mapping)
    check(config)
    return config


def to_mapping(config: Config) -> dict[str, Any]:
    """Return a configuration as plain JSON types, which :func:`from_mapping` reads."""
    return config.record()


def check(config: Config, where: str = "") -> None:
    """Raise UsageError for the first value of a configuration that makes no sense.

    ``where``: prefix of its keys.
    """
    for field in dataclasses.fields(config):
        key = f"{where}{field.name}"
        value = getattr(config, field.name)
        setting_of(field).rule.check(value, key)
        _check_inside(value, key)
    for name, complaint in config.complaints():
        raise UsageError(f"{where}{name}: {complaint}")


def _check_inside(value: Any, key: str) -> None:
    """Check the configurations inside a value."""
    if isinstance(value, Config):
        check(value, f"{key}.")
    elif isinstance(value, tuple):
        for index, entry in enumerate(value):
            _check_inside(entry, f"{key}.{index}")
