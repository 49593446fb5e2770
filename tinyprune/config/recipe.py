"""Recipes: the configuration of a run as a TOML file, and single values of it as ``KEY=VALUE``."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tinyprune.config.data import DataConfig
from tinyprune.config.family import fields_of
from tinyprune.config.pruning import TrainedPruning
from tinyprune.config.run import MODEL_FILES, ModelConfig, RunConfig, from_mapping, to_mapping
from tinyprune.config.settings import Config, plain, setting_of
from tinyprune.config.tables import assign
from tinyprune.config.toml import read_toml
from tinyprune.config.values import Text, each_of, one_or_several
from tinyprune.errors import UsageError

#: Adds what a table [data] means to it; relative to a folder.
Completion = Callable[[Mapping[str, Any], Path], dict[str, Any]]


def load_recipe(path: Path, complete: Completion | None = None) -> RunConfig:
    """Return the configuration in a TOML file; folders and files in it are relative to it.

    ``complete`` names the data set of a table [data] that does not. Raises UsageError with the name
    of the file.
    """

    def read(tables: dict[str, Any]) -> RunConfig:
        data = tables.get("data")
        if complete is not None and isinstance(data, dict):
            tables = {**tables, "data": complete(data, path.parent)}
        return from_mapping(tables)

    config = read_toml(path, "recipe", read)
    anchored = _anchored(config, path.parent)
    return dataclasses.replace(anchored, model=_anchored_model(anchored.model, path.parent))


def _anchored(value: Any, folder: Path) -> Any:
    """Return a configuration, and those in it, with its places relative to ``folder``.

    Any other value stays as it is.
    """
    if isinstance(value, tuple):
        return tuple(_anchored(entry, folder) for entry in value)
    if not isinstance(value, Config):
        return value

    anchored: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        part = getattr(value, field.name)
        if part is not None and setting_of(field).is_place:
            part = one_or_several([_resolved(folder, name) for name in each_of(part)])
        anchored[field.name] = _anchored(part, folder)
    return dataclasses.replace(value, **anchored)


def _anchored_model(model: ModelConfig, folder: Path) -> ModelConfig:
    """Return the model with its file, if it is one, relative to ``folder``."""
    name = model.name or ""
    if Path(name).suffix.lower() not in MODEL_FILES:
        return model
    return dataclasses.replace(model, name=_resolved(folder, name))


def _resolved(folder: Path, name: str) -> str:
    """Return a path of a recipe, relative to its folder."""
    return str((folder / Path(name).expanduser()).resolve())


def assignments(texts: Iterable[str]) -> dict[str, Any]:
    """Return ``KEY=VALUE`` texts as values for :func:`with_values`.

    E.g. ``["train.epochs=3", "data.snr_db=-5:5"]``.
    """
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        key = name.strip()
        if not equals or not key:
            raise UsageError(f"--set {text}: expected KEY=VALUE, e.g. --set train.epochs=3")
        values[key] = Text(value.strip())
    return values


def with_overrides(config: RunConfig, texts: Iterable[str]) -> RunConfig:
    """Return the configuration with ``KEY=VALUE`` texts applied."""
    return with_values(config, assignments(texts))


def with_values(config: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """Return the configuration with dotted keys replaced, e.g. ``{"train.epochs": 3}``.

    A value of None changes nothing.
    """
    mapping = to_mapping(config)
    mapping["data"] = _own_settings(config.data)
    for pruning in mapping["prune"]:
        if pruning["target"] is None:  # so that a value of it can be set
            del pruning["target"]
    for key, value in values.items():
        if value is not None:
            assign(mapping, key, value)
    return from_mapping(mapping)


def quickened(config: RunConfig) -> RunConfig:
    """Return the configuration with a fifth of the epochs in every training."""
    prunings: list[TrainedPruning] = []
    for pruning in config.prune:
        prunings.append(dataclasses.replace(pruning, quick=True))
    train = dataclasses.replace(config.train, quick=True)
    return dataclasses.replace(config, train=train, prune=tuple(prunings))


def _own_settings(data: DataConfig) -> dict[str, Any]:
    """Return the settings of a data set as a table, without those that have its defaults.

    So a data set that is named in its place comes with defaults of its own.
    """
    record = data.record()
    table = {data.family.key: record[data.family.key]}
    for name, field in fields_of(type(data)).items():
        if record[name] != plain(field.default):
            table[name] = record[name]
    return table
