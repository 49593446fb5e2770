"""``tinyprune train``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tinyprune import extras
from tinyprune.cli import options
from tinyprune.cli.data_kind import completed
from tinyprune.cli.settings import family_settings, keys, settings
from tinyprune.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from tinyprune.config.family import fields_of
from tinyprune.config.recipe import assignments, with_values

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
    values: dict[str, Any] = {}
    data: dict[str, Any] = {}
    for parameter, value in flags.items():
        table, _, name = KEYS[parameter].partition(".")
        if value in (None, ()):
            continue
        if table == "data":
            data[name] = value
        else:
            values[KEYS[parameter]] = value
    for name, value in completed(data, how_to_name="--data NAME").items():
        values[f"data.{name}"] = value
    config = with_values(RunConfig(), {**values, **assignments(set_values)})
    extras.require_training("tinyprune train")
    from tinyprune.stages.train import train_baseline

    train_baseline(run, config)
    log(run)
