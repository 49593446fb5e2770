"""The whole configuration of a run: dataclasses, read from TOML. Unknown keys are errors with a suggestion.

Every error is one line that starts with the key as one would write it in ``--set``, e.g. ``prune.0.sparsity``.
"""

import dataclasses
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tinyprune import strict
from tinyprune.errors import UsageError
from tinyprune.registry import DATASETS, MODELS, SCHEDULES, STRUCTURES, Registry

Config = TypeVar("Config")

LOSSES = ("si-sdr", "spectrum", "combined")
SCOPES = ("global", "layer")
FOLDERS = ("speech", "noise", "dev_speech", "dev_noise", "test_speech", "test_noise")


@dataclass(frozen=True)
class DataConfig:
    """Where speech and noise come from and how they are mixed.

    Attributes:
        name: dataset (registry.DATASETS).
        speech, noise: folders of clean speech and of noise, for "mixture".
        dev_speech, dev_noise: held-out folders; without them a tenth of the speakers and noise files is held out.
        test_speech, test_noise: folders for ``evaluate --split test``.
        snr_db: range in dB from which the SNR of each training mixture is drawn.
        minutes: length of the synthetic training speech.
        dev_utterances: number of mixtures in the dev and test sets.
        seed: of the synthetic corpus and of every mixture.
    """

    name: str = "synthetic-speech"
    speech: str | None = None
    noise: str | None = None
    dev_speech: str | None = None
    dev_noise: str | None = None
    test_speech: str | None = None
    test_noise: str | None = None
    snr_db: tuple[float, float] = (-6.0, 9.0)
    minutes: float = 20.0
    dev_utterances: int = 48
    seed: int = 0


@dataclass(frozen=True)
class ModelConfig:
    """Which network. Attributes: name (registry.MODELS)."""

    name: str = "tinylstm"


@dataclass(frozen=True)
class TrainConfig:
    """How the float32 baseline is trained.

    Attributes:
        epochs: passes over the training speech.
        batch_size: sequences per step; frames: STFT frames per sequence.
        learning_rate: of Adam at its peak; it falls to a hundredth of it by a cosine.
        loss: "si-sdr", "spectrum" or "combined" (training/losses.py).
        seed: of the initial weights and of the order of the data.
    """

    epochs: int = 30
    batch_size: int = 64
    frames: int = 100
    learning_rate: float = 1e-3
    loss: str = "si-sdr"
    seed: int = 0


@dataclass(frozen=True)
class PruneConfig:
    """One pruning of the baseline, jointly with int8 learning.

    Attributes:
        name: of the variant; default ``structure-sparsity``, e.g. "weight-0.80".
        structure: registry.STRUCTURES. sparsity: final fraction of zeros, in [0, 1).
        schedule: registry.SCHEDULES. scope: "global" or "layer".
        epochs, learning_rate: as in training. distill: learn from the float baseline too.
        seed: of the order of the data.
    """

    name: str | None = None
    structure: str = "weight"
    sparsity: float = 0.8
    schedule: str = "polynomial"
    scope: str = "global"
    epochs: int = 20
    learning_rate: float = 4e-3
    distill: bool = True
    seed: int = 0

    @property
    def variant(self) -> str:
        """Name of the variant: the given one, or ``structure-sparsity`` with two digits."""
        return self.name or f"{self.structure.replace(':', '-')}-{self.sparsity:.2f}"


@dataclass(frozen=True)
class TargetConfig:
    """What to compile for; what is None is the accelerator's default (npu/targets/*.toml)."""

    npu: str = "ethos-u55-128"
    system_config: str | None = None
    memory_mode: str | None = None


@dataclass(frozen=True)
class RunConfig:
    """A whole run: data, model, training, prunings, targets."""

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    prune: tuple[PruneConfig, ...] = ()
    target: tuple[TargetConfig, ...] = (TargetConfig(),)


def load_recipe(path: Path) -> RunConfig:
    """The configuration in a TOML file; folders in it are relative to the file. Raises UsageError with its name."""
    try:
        mapping = tomllib.loads(path.read_text())
    except OSError as error:
        raise UsageError(f"cannot read recipe {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    try:
        config = from_mapping(mapping)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    return dataclasses.replace(config, data=_anchored(config.data, path.parent))


def _anchored(data: DataConfig, folder: Path) -> DataConfig:
    """The same with relative folders made relative to ``folder`` instead of the working directory."""
    given = {name: Path(getattr(data, name)).expanduser() for name in FOLDERS if getattr(data, name) is not None}
    anchored: dict[str, Any] = {name: str((folder / path).resolve()) for name, path in given.items()}
    return dataclasses.replace(data, **anchored)


def from_mapping(mapping: Mapping[str, Any]) -> RunConfig:
    """The configuration of nested tables, as TOML or JSON gives them. Raises UsageError that names the key."""
    return build(RunConfig, mapping)


def build(kind: type[Config], mapping: Mapping[str, Any]) -> Config:
    """One configuration dataclass of a table, checked, e.g. ``build(PruneConfig, {"sparsity": 0.9})``."""
    config = strict.structure(kind, mapping)
    check(config)
    return config


def to_mapping(config: Any) -> dict[str, Any]:
    """A configuration as plain JSON types: ``from_mapping(to_mapping(config)) == config``."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def assignments(texts: Iterable[str]) -> dict[str, Any]:
    """``KEY=VALUE`` texts as values for :func:`with_values`, e.g. ``["train.epochs=3", "data.snr_db=-5:5"]``."""
    values: dict[str, Any] = {}
    for text in texts:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not key:
            raise UsageError(f"--set {text}: expected KEY=VALUE, e.g. --set train.epochs=3")
        values[key] = strict.Text(value)
    return values


def with_overrides(config: RunConfig, texts: Iterable[str]) -> RunConfig:
    """The configuration with ``KEY=VALUE`` texts applied."""
    return with_values(config, assignments(texts))


def with_values(config: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """The configuration with dotted keys replaced, e.g. ``{"train.epochs": 3}``; a value of None changes nothing."""
    mapping = to_mapping(config)
    for key, value in values.items():
        if value is not None:
            strict.assign(mapping, key, value)
    return from_mapping(mapping)


_COUNT = (lambda value: value >= 1, "at least 1")
_POSITIVE = (lambda value: value > 0, "more than 0")

#: What the value of a field must be, wherever a field of that name occurs.
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "epochs": _COUNT,
    "batch_size": _COUNT,
    "frames": _COUNT,
    "dev_utterances": _COUNT,
    "learning_rate": _POSITIVE,
    "minutes": _POSITIVE,
    "seed": (lambda value: value >= 0, "0 or more"),
    "sparsity": (lambda value: 0 <= value < 1, "a fraction in [0, 1), e.g. 0.8"),
    "snr_db": (lambda value: value[0] <= value[1], "low:high with low <= high, e.g. -6:9"),
    "loss": (lambda value: value in LOSSES, f"one of: {', '.join(LOSSES)}"),
    "scope": (lambda value: value in SCOPES, f"one of: {', '.join(SCOPES)}"),
}

_NAMES: dict[tuple[type, str], Registry] = {
    (DataConfig, "name"): DATASETS,
    (ModelConfig, "name"): MODELS,
    (PruneConfig, "structure"): STRUCTURES,
    (PruneConfig, "schedule"): SCHEDULES,
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
        yield from _folder_complaints(config)
    elif isinstance(config, PruneConfig) and not re.fullmatch(r"(?!baseline$)[A-Za-z0-9][\w.-]*", config.variant):
        yield "name", f"'{config.variant}' cannot name a variant: letters, digits, '.', '_' and '-', not 'baseline'"
    elif isinstance(config, RunConfig):
        names = [prune.variant for prune in config.prune]
        yield from ((f"prune.{i}.name", f"'{n}' is there twice") for i, n in enumerate(names) if n in names[:i])
        if not config.target:
            yield "target", "expected at least one [[target]]"


def _folder_complaints(data: DataConfig) -> Iterator[tuple[str, str]]:
    """Folders that are needed and missing, or given and unused: nobody trains on other data than they think."""
    given = [name for name in FOLDERS if getattr(data, name)]
    if data.name == "synthetic-speech" and given:
        yield given[0], 'is not used by data.name = "synthetic-speech"; choose "mixture"'
    if data.name == "mixture":
        yield from (
            (name, f'data.name = "mixture" needs it: give --{name} DIR')
            for name in ("speech", "noise")
            if name not in given
        )
