"""The whole configuration of a run: dataclasses, read from TOML. Unknown keys are errors with a suggestion.

Every error is one line that starts with the key as one would write it in ``--set``, e.g. ``prune.0.sparsity``.
"""

import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tinyprune import strict
from tinyprune.budgets import BudgetConfig, as_texts
from tinyprune.config.data import NORMALISE, DataConfig
from tinyprune.config.data import complaints as data_complaints
from tinyprune.errors import UsageError
from tinyprune.pretrained import NAME as PRETRAINED
from tinyprune.registry import DATASETS, IMPORTANCES, SCHEDULES, Registry

Config = TypeVar("Config")

LOSSES = ("si-sdr", "spectrum", "combined")
SCOPES = ("global", "layer")
BASELINE = "baseline"
MODEL_FILES = (".keras", ".h5", ".hdf5")
DEFAULT_SPARSITY = 0.8


@dataclass(frozen=True)
class ModelConfig:
    """Which network.

    Attributes:
        name: registry.MODELS, a file (.keras, .h5) or "package.module:function"; None: what fits the data.
        custom: modules with the custom layers and functions of a file.
    """

    name: str | None = None
    custom: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainConfig:
    """How the float32 baseline is trained.

    Attributes:
        epochs: passes over the training data; None: what fits the task, 0 for a model that is given with its weights.
        batch_size: sequences or examples per step; frames: STFT frames per sequence of speech.
        learning_rate: of Adam at its peak; it falls to a hundredth of it by a cosine. None: what fits the task.
        loss: of speech: "si-sdr", "spectrum" or "combined" (training/losses.py); classes have cross-entropy.
        seed: of the initial weights and of the order of the data.
    """

    epochs: int | None = None
    batch_size: int = 64
    frames: int = 100
    learning_rate: float | None = None
    loss: str = "si-sdr"
    seed: int = 0


@dataclass(frozen=True)
class LayerRule:
    """What is different for some layers of a pruning; of several rules, the first whose pattern fits counts.

    Attributes:
        match: pattern of kernel or layer names, e.g. "lstm_1/kernel" or "block_*".
        structure, block_size, sparsity: as in PruneConfig, whose values hold where these are None.
        skip: leave these layers dense.
    """

    match: str
    structure: str | None = None
    block_size: str | None = None
    sparsity: float | None = None
    skip: bool = False


@dataclass(frozen=True)
class PruneConfig:
    """One pruning, jointly with int8 learning.

    Attributes:
        name: of the variant; default ``structure-sparsity``, e.g. "weight-0.80", after the name of its base.
        base: the variant that it starts from.
        structure: "weight", "block", "unit", or n:m such as "2:4". block_size: RxC, for "block".
        sparsity: final fraction of zeros, in [0, 1); n:m has its own.
        importance: registry.IMPORTANCES. scope: "global" or "layer".
        schedule: registry.SCHEDULES. begin, end: when it does, as a fraction of the training up to 1, else in
            optimizer steps. update_every: steps between two updates of the masks; None: 50 updates in all.
        round_to: removed units leave a multiple of this.
        exclude: patterns of kernel or layer names that stay dense. layers: what differs for some layers.
        epochs, learning_rate: as in training; None: what fits the task. distill: learn from the float baseline too.
        seed: of the order of the data.
    """

    name: str | None = None
    base: str = BASELINE
    structure: str = "weight"
    block_size: str = "16x16"
    sparsity: float | None = None
    importance: str = "l1"
    scope: str = "global"
    schedule: str = "polynomial"
    begin: float = 0.0
    end: float = 0.5
    update_every: int | None = None
    round_to: int = 8
    exclude: tuple[str, ...] = ()
    layers: tuple[LayerRule, ...] = ()
    epochs: int | None = None
    learning_rate: float | None = None
    distill: bool = True
    seed: int = 0

    @property
    def final_sparsity(self) -> float:
        """The sparsity that is given, or that n:m has, or 0.8."""
        given = self.sparsity if ":" not in self.structure else _fraction(self.structure)
        return DEFAULT_SPARSITY if given is None else given

    @property
    def variant(self) -> str:
        """Name of the variant: the given one, or ``structure-sparsity`` with two digits, after the base's."""
        size = f"-{self.block_size}" if self.structure == "block" and self.block_size != "16x16" else ""
        start = "" if self.base == BASELINE else f"{self.base}-"
        own = f"{self.structure.replace(':', '-')}{size}"
        return self.name or start + own + ("" if ":" in self.structure else f"-{self.final_sparsity:.2f}")


def _fraction(n_of_m: str) -> float | None:
    """``1 - n / m`` of "n:m"; None if it is no such text, which is another check's to complain about."""
    numbers = re.fullmatch(r"(\d+):(\d+)", n_of_m)
    return 1 - int(numbers[1]) / int(numbers[2]) if numbers and int(numbers[2]) else None


@dataclass(frozen=True)
class TargetConfig:
    """What to compile for; what is None is the accelerator's default (npu/targets/*.toml).

    Attributes:
        npu: accelerator or own target (npu/own_targets.py).
        system_config, memory_mode: as in NpuTarget.
        vela_config: a user's Vela configuration file.
    """

    npu: str = "ethos-u55-128"
    system_config: str | None = None
    memory_mode: str | None = None
    vela_config: str | None = None


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
    config = strict.structure(kind, _with_texts(kind, mapping))
    check(config)
    return config


def _with_texts(kind: type, mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same with limits as text, as BudgetConfig has them."""
    if kind is RunConfig and isinstance(mapping, Mapping) and "budget" in mapping:
        return {**mapping, "budget": as_texts(mapping["budget"])}
    return as_texts(mapping) if kind is BudgetConfig else mapping


def to_mapping(config: Any) -> dict[str, Any]:
    """A configuration as plain JSON types: ``from_mapping(to_mapping(config)) == config``."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


_COUNT = (lambda value: value >= 1, "at least 1")
_POSITIVE = (lambda value: value is None or value > 0, "more than 0")
_MOMENT = (lambda value: value >= 0, "a fraction of the training up to 1, or a number of optimizer steps")

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
    "snr_db": (lambda value: value[0] <= value[1], "low:high with low <= high, e.g. -6:9"),
    "level_db": (lambda value: value[0] <= value[1] <= 0, "low:high with low <= high <= 0, e.g. -35:-15"),
    "speed": (lambda value: 0.5 <= value[0] <= value[1] <= 2, "low:high with 0.5 <= low <= high <= 2, e.g. 0.9:1.1"),
    "babble": (lambda value: 0 <= value <= 1, "a fraction in [0, 1], e.g. 0.2"),
    "words": (lambda value: all(value) and len(set(value)) == len(value), "words, each once"),
    "normalise": (lambda value: value in NORMALISE, f"one of: {', '.join(NORMALISE)}"),
    "image_size": (lambda value: value is None or value >= 1, "at least 1"),
    "hold_out": (lambda value: 0 < value < 1, "a fraction between 0 and 1, e.g. 0.1"),
    "loss": (lambda value: value in LOSSES, f"one of: {', '.join(LOSSES)}"),
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
        yield from ((f"{index}.", entry) for index, entry in enumerate(value) if dataclasses.is_dataclass(entry))


def _complaints(config: Any) -> Iterator[tuple[str, str]]:
    """What is wrong between the values of one configuration: (key, complaint) pairs."""
    if isinstance(config, DataConfig):
        yield from data_complaints(config)
    elif isinstance(config, PruneConfig):
        yield from _prune_complaints(config)
    elif isinstance(config, BudgetConfig):
        yield from config.complaints()
    elif isinstance(config, RunConfig):
        names = [prune.variant for prune in config.prune]
        yield from ((f"prune.{i}.name", f"'{n}' is there twice") for i, n in enumerate(names) if n in names[:i])
        if not config.target:
            yield "target", "expected at least one [[target]]"


def _prune_complaints(config: PruneConfig) -> Iterator[tuple[str, str]]:
    if ":" in config.structure and config.sparsity is not None:
        yield "sparsity", f"{config.structure} sets it: leave it out"
    if (config.begin <= 1) == (config.end <= 1) and config.begin > config.end:
        yield "end", f"the schedule would end at {config.end:g} before it begins at {config.begin:g}"
    if config.epochs == 0:
        yield "epochs", "expected at least 1, got 0"
    taken = (BASELINE, PRETRAINED)
    if config.name is not None and (config.name in taken or not re.fullmatch(r"[A-Za-z0-9][\w.-]*", config.name)):
        rule = f"letters, digits, '.', '_' and '-', not '{BASELINE}' or '{PRETRAINED}'"
        yield "name", f"'{config.name}' cannot name a variant: {rule}"
