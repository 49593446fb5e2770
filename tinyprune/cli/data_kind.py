"""The data set that settings mean which do not name it: of ``train`` and of recipes."""

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tinyprune.config import DataConfig, RunConfig
from tinyprune.config.family import fields_of
from tinyprune.config.recipe import load_recipe
from tinyprune.config.settings import setting_of

log = logging.getLogger(__name__)
NAME, PATH = DataConfig.family.key, "path"


def completed(
    settings: Mapping[str, Any], folder: Path = Path(), *, how_to_name: str
) -> dict[str, Any]:
    """Return the settings of a data set with its name, and its place as it calls it.

    A setting that only one data set has names it, else what lies at its path does. Nothing is added
    where neither is given.

    Args:
        settings: those that are given, by name; they are not checked yet.
        folder: that its path is relative to.
        how_to_name: how another data set can be named, for the line that says which it is.

    Raises UsageError where nothing is at the path that a data set reads.
    """
    name = settings.get(NAME) or _named_by_a_setting(settings)
    path = settings.get(PATH)
    if name is None and path and isinstance(path, str):
        name = _found_at(path, folder, how_to_name)
    if name is None:
        return dict(settings)
    return _placed({**settings, NAME: name})


def _named_by_a_setting(settings: Mapping[str, Any]) -> str | None:
    """Return the data set that alone has one of the settings; None for none."""
    for kind in DataConfig.family.members:
        if any(settings.get(name) for name in kind.naming):
            return kind.name
    return None


def _found_at(path: str, folder: Path, how_to_name: str) -> str:
    """Return the data set that reads what lies at a path, and say why, unless it is a corpus."""
    from tinyprune.data.kinds import data_at

    found = data_at(folder / Path(path).expanduser())
    if not found.is_corpus:
        log.info(
            "data: %s, as %s holds %s; %s says otherwise",
            found.dataset,
            path,
            found.reason,
            how_to_name,
        )
    return found.dataset


def _placed(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings with the path as the one place that the data set has under another name."""
    for kind in DataConfig.family.members:
        if kind.name != settings[NAME] or len(kind.naming) != 1:
            continue
        [name] = kind.naming
        is_place = setting_of(fields_of(kind)[name]).is_place
        if is_place and PATH in settings and not settings.get(name):
            settings[name] = settings.pop(PATH)
    return settings


def recipe_at(path: Path) -> RunConfig:
    """Return the configuration in a recipe, whose table [data] need not name the data set."""
    return load_recipe(path, partial(completed, how_to_name="`name` in [data]"))
