"""Recipes: the configuration of a run as a TOML file, and single values of it as ``KEY=VALUE``."""

import dataclasses
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tinyprune.config import (
    MODEL_FILES,
    DataConfig,
    RunConfig,
    TargetConfig,
    from_mapping,
    parsing,
    to_mapping,
)
from tinyprune.config.data import FOLDERS
from tinyprune.errors import UsageError


def load_recipe(path: Path) -> RunConfig:
    """The configuration in a TOML file; folders and files in it are relative to it. Raises UsageError with its name."""
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
    model = config.model
    if model.name and Path(model.name).suffix.lower() in MODEL_FILES:
        model = dataclasses.replace(model, name=_resolved(path.parent, model.name))
    targets = tuple(_placed(target, path.parent) for target in config.target)
    prunings = tuple(
        dataclasses.replace(one, target=_placed(one.target, path.parent)) if one.target else one
        for one in config.prune
    )
    data = _anchored(config.data, path.parent)
    return dataclasses.replace(config, data=data, model=model, target=targets, prune=prunings)


def _placed(target: TargetConfig, folder: Path) -> TargetConfig:
    """A target whose Vela configuration is relative to the folder of the recipe."""
    ini = target.vela_config
    return dataclasses.replace(target, vela_config=_resolved(folder, ini)) if ini else target


def _resolved(folder: Path, name: str) -> str:
    """A path of a recipe, relative to its folder."""
    return str((folder / Path(name).expanduser()).resolve())


def _anchored(data: DataConfig, folder: Path) -> DataConfig:
    """The same with relative folders made relative to ``folder`` instead of the working directory."""
    names = [name for name in (*FOLDERS, "path") if getattr(data, name) is not None]
    anchored: dict[str, Any] = {name: _resolved(folder, getattr(data, name)) for name in names}
    return dataclasses.replace(data, **anchored)


def assignments(texts: Iterable[str]) -> dict[str, Any]:
    """``KEY=VALUE`` texts as values for :func:`with_values`, e.g. ``["train.epochs=3", "data.snr_db=-5:5"]``."""
    values: dict[str, Any] = {}
    for text in texts:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not key:
            raise UsageError(f"--set {text}: expected KEY=VALUE, e.g. --set train.epochs=3")
        values[key] = parsing.Text(value)
    return values


def with_overrides(config: RunConfig, texts: Iterable[str]) -> RunConfig:
    """The configuration with ``KEY=VALUE`` texts applied."""
    return with_values(config, assignments(texts))


def with_values(config: RunConfig, values: Mapping[str, Any]) -> RunConfig:
    """The configuration with dotted keys replaced, e.g. ``{"train.epochs": 3}``; a value of None changes nothing."""
    mapping = to_mapping(config)
    for pruning in mapping["prune"]:
        if pruning["target"] is None:  # so that a value of it can be set
            del pruning["target"]
    for key, value in values.items():
        if value is not None:
            parsing.assign(mapping, key, value)
    return from_mapping(mapping)
