"""``tinyprune train``."""

from pathlib import Path
from typing import Any

import click

from tinyprune.cli import options
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
    help="Data set, see `tinyprune list datasets`.  [default: as fits the folders, else "
    "synthetic-speech]",
)
@family_settings(DataConfig.family, "data_")
@settings(_TRAIN, "train_")
@options.deterministic
@options.set_values
def train(run: Path, set_values: tuple[str, ...], **flags: Any) -> None:
    """Train the float32 baseline of a run.

    Without any option it trains TinyLSTM on a synthetic corpus. With --speech and --noise, with
    --noisy and --clean, or with a corpus at --path it trains on your own recordings, with --arrays
    on anything else that is an array per example.

    A network that comes as a file keeps its weights, unless --epochs says otherwise.
    """
    if flags["data_name"] is None:
        flags["data_name"] = _dataset(flags)
    values = {}
    for parameter, value in flags.items():
        if value not in (None, ()):
            values[KEYS[parameter]] = value
    config = with_values(RunConfig(), {**values, **assignments(set_values)})
    from tinyprune.stages.train import train_baseline

    train_baseline(run, config)


def _dataset(flags: dict[str, Any]) -> str | None:
    """Return the data set of folders or files, or of a corpus at a path; None where unclear."""
    for kind in DataConfig.family.members:
        if any(flags[f"data_{name}"] for name in kind.naming):
            return kind.name
    path = flags["data_path"]
    if path is None:
        return None
    from tinyprune.data.corpora.layouts import dataset_of

    return dataset_of(Path(path)) or None
