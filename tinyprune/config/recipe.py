"""Recipes: the configuration of a run as a TOML file, and single values of it as ``KEY=VALUE``."""

import dataclasses
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from tinyprune.config.run import MODEL_FILES, ModelConfig, RunConfig, from_mapping, to_mapping
from tinyprune.config.settings import Config, setting_of
from tinyprune.config.tables import Text, assign
from tinyprune.errors import UsageError

AnyConfig = TypeVar("AnyConfig", bound=Config)


def load_recipe(path: Path) -> RunConfig:
    """Return the configuration in a TOML file; folders and files in it are relative to it.

    Raises UsageError with the name of the file.
    """
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
    config = _anchored(config, path.parent)
    return dataclasses.replace(config, model=_anchored_model(config.model, path.parent))


def _anchored(config: AnyConfig, folder: Path) -> AnyConfig:
    """Return a configuration, and those in it, with its places relative to ``folder``."""
    anchored: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if setting_of(field).is_place and value is not None:
            anchored[field.name] = _resolved(folder, value)
        elif isinstance(value, Config):
            anchored[field.name] = _anchored(value, folder)
        elif isinstance(value, tuple):
            anchored[field.name] = tuple(_anchored_entry(entry, folder) for entry in value)
    return dataclasses.replace(config, **anchored)


def _anchored_entry(entry: Any, folder: Path) -> Any:
    """Return an entry of a list, anchored where it is a configuration."""
    return _anchored(entry, folder) if isinstance(entry, Config) else entry


def _anchored_model(model: ModelConfig, folder: Path) -> ModelConfig:
    """Return the model with its file, if it is one, relative to ``folder``."""
    if model.name and Path(model.name).suffix.lower() in MODEL_FILES:
        return dataclasses.replace(model, name=_resolved(folder, model.name))
    return model


def _resolved(folder: Path, name: str) -> str:
    """Return a path of a recipe, relative to its folder."""
    return str((folder / Path(name).expanduser()).resolve())


def assignments(texts: Iterable[str]) -> dict[str, Any]:
    """Return ``KEY=VALUE`` texts as values for :func:`with_values`.

    E.g. ``["train.epochs=3", "data.snr_db=-5:5"]``.
    """
    values: dict[str, Any] = {}
    for text in texts:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not key:
            raise UsageError(f"--set {text}: expected KEY=VALUE, e.g. --set train.epochs=3")
        values[key] = Text(value)
    return values


def with_overrides(config: RunConfig, texts: Iterable[str]) -> RunConfig:
    """Return the configuration with ``KEY=VALUE`` texts applied."""
    return with_values(config, assignments(texts))


def with_values(config: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """Return the configuration with dotted keys replaced, e.g. ``{"train.epochs": 3}``.

    A value of None changes nothing.
    """
    mapping = to_mapping(config)
    for pruning in mapping["prune"]:
        if pruning["target"] is None:  # so that a value of it can be set
            del pruning["target"]
    for key, value in values.items():
        if value is not None:
            assign(mapping, key, value)
    return from_mapping(mapping)
