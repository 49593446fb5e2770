"""``tinyprune train``."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tinyprune import extras
from tinyprune.cli import options
from tinyprune.cli.settings import family_settings, keys, settings
from tinyprune.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from tinyprune.config.family import fields_of
from tinyprune.config.recipe import assignments, with_values
from tinyprune.config.settings import setting_of

LOGGER = logging.getLogger(__name__)
_MODEL, _TRAIN = fields_of(ModelConfig), fields_of(TrainConfig)

#: Name of a parameter -> key of the recipe that it overrides.
KEYS = {
    "data_name": "data.name",
    **keys(_MODEL, "model"),
    **keys(DataConfig.family.fields, "data"),
    **keys(_TRAIN, "train"),
}


@click.command()
@options.run_folder
@settings(_MODEL, "model_")
@click.option(
    "--data",
    "data_name",
    metavar="NAME",
    help="Data set, see `tinyprune list datasets`.  [default: as fits what is given, else "
    "synthetic-speech]",
)
@family_settings(DataConfig.family, "data_")
@settings(_TRAIN, "train_")
@options.deterministic
@options.log_to
@options.set_values
def train(
    run: Path, set_values: tuple[str, ...], log: Callable[[Path], None], **flags: Any
) -> None:
    """Train the float32 baseline of a run.

    Without any option it trains TinyLSTM on a synthetic corpus. With --speech and --noise, with
    --noisy and --clean it trains on your own recordings, with --arrays on anything else that is an
    array per example. --path takes corpora of speech, folders WORD/*.wav and CLASS/*.png, and
    arrays, and finds out which they are.

    A network that comes as a file keeps its weights, unless --epochs says otherwise.
    """
    if flags["data_name"] is None:
        _infer_dataset(flags)
    else:
        _use_path(flags)
    values = {}
    for parameter, value in flags.items():
        if value not in (None, ()):
            values[KEYS[parameter]] = value
    config = with_values(RunConfig(), {**values, **assignments(set_values)})
    extras.require_training("tinyprune train")
    from tinyprune.stages.train import train_baseline

    train_baseline(run, config)
    log(run)


def _use_path(flags: dict[str, Any]) -> None:
    """Take --path for the one place that a named data set has under another name, e.g. arrays."""
    for kind in DataConfig.family.members:
        if kind.name != flags["data_name"] or len(kind.naming) != 1:
            continue
        [name] = kind.naming
        is_place = setting_of(fields_of(kind)[name]).is_place
        if is_place and not flags[f"data_{name}"]:
            flags[f"data_{name}"] = flags["data_path"]
            flags["data_path"] = None


def _infer_dataset(flags: dict[str, Any]) -> None:
    """Fill in the data set of folders or files, or of what lies at a path, and say which."""
    for kind in DataConfig.family.members:
        if any(flags[f"data_{name}"] for name in kind.naming):
            flags["data_name"] = kind.name
            return
    path = flags["data_path"]
    if path is None:
        return
    from tinyprune.data.kinds import data_at

    found = data_at(Path(path))
    flags["data_name"] = found.dataset
    flags["data_path"] = None
    flags[f"data_{found.setting}"] = path
    if found.is_corpus:
        return
    LOGGER.info(
        "data: %s, as %s holds %s; --data NAME says otherwise", found.dataset, path, found.reason
    )
