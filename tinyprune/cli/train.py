"""``tinyprune train``."""

from pathlib import Path
from typing import Any

import click

from tinyprune.cli import options
from tinyprune.config import RunConfig
from tinyprune.config.recipe import assignments, with_values

#: Flag -> key of the recipe that it overrides.
KEYS = {
    "model": "model.name",
    "data": "data.name",
    "speech": "data.speech",
    "noise": "data.noise",
    "dev_speech": "data.dev_speech",
    "dev_noise": "data.dev_noise",
    "test_speech": "data.test_speech",
    "test_noise": "data.test_noise",
    "rirs": "data.rirs",
    "noisy": "data.noisy",
    "clean": "data.clean",
    "dev_noisy": "data.dev_noisy",
    "dev_clean": "data.dev_clean",
    "test_noisy": "data.test_noisy",
    "test_clean": "data.test_clean",
    "snr": "data.snr_db",
    "level": "data.level_db",
    "speed": "data.speed",
    "babble": "data.babble",
    "minutes": "data.minutes",
    "path": "data.path",
    "words": "data.words",
    "custom": "model.custom",
    "epochs": "train.epochs",
    "batch_size": "train.batch_size",
    "learning_rate": "train.learning_rate",
    "loss": "train.loss",
    "seed": "train.seed",
}


@click.command()
@options.run_folder
@click.option(
    "--model",
    metavar="MODEL",
    help="`tinyprune list models`, FILE.keras, FILE.h5, or module:function.",
)
@click.option(
    "--custom", multiple=True, metavar="MODULE", help="Module with custom layers of FILE."
)
@click.option(
    "--data", metavar="NAME", help="Dataset, see `tinyprune list datasets`; follows from folders."
)
@click.option("--speech", type=options.FOLDER, metavar="DIR", help="Clean speech to train on.")
@click.option("--noise", type=options.FOLDER, metavar="DIR", help="Noise to mix it with.")
@click.option(
    "--dev-speech",
    type=options.FOLDER,
    metavar="DIR",
    help="Clean speech held out for the dev split.",
)
@click.option(
    "--dev-noise", type=options.FOLDER, metavar="DIR", help="Noise held out for the dev split."
)
@click.option(
    "--test-speech", type=options.FOLDER, metavar="DIR", help="Clean speech of the test split."
)
@click.option("--test-noise", type=options.FOLDER, metavar="DIR", help="Noise of the test split.")
@click.option(
    "--rirs",
    type=options.FOLDER,
    metavar="DIR",
    help="Room impulse responses, for half of the speech.",
)
@click.option("--noisy", type=options.FOLDER, metavar="DIR", help="Noisy recordings to train on.")
@click.option(
    "--clean", type=options.FOLDER, metavar="DIR", help="The clean speech in them, by file name."
)
@click.option(
    "--dev-noisy",
    type=options.FOLDER,
    metavar="DIR",
    help="Noisy recordings held out for the dev split.",
)
@click.option("--dev-clean", type=options.FOLDER, metavar="DIR", help="The clean speech in them.")
@click.option(
    "--test-noisy", type=options.FOLDER, metavar="DIR", help="Noisy recordings of the test split."
)
@click.option("--test-clean", type=options.FOLDER, metavar="DIR", help="The clean speech in them.")
@click.option(
    "--snr",
    type=options.DECIBELS,
    metavar="LO:HI",
    help="Range of the SNR of a training mixture, in dB.",
)
@click.option(
    "--level",
    type=options.DECIBELS,
    metavar="LO:HI",
    help="Range of the level of the speech, in dBFS.",
)
@click.option(
    "--speed", type=options.FACTORS, metavar="LO:HI", help="Range of the speed of speech and noise."
)
@click.option(
    "--babble", type=options.SHARE, metavar="X", help="Fraction whose noise is other speakers."
)
@click.option(
    "--minutes", type=options.POSITIVE, metavar="X", help="Length of the synthetic training speech."
)
@click.option(
    "--path",
    type=options.PATH,
    metavar="PATH",
    help="A corpus of speech or a CSV manifest; keywords; images.",
)
@click.option(
    "--words",
    metavar="A,B,...",
    help="Keywords that matter; all others are `unknown`.  [default: all]",
)
@options.epochs
@click.option("--batch-size", type=options.COUNT, metavar="N", help="Sequences per optimizer step.")
@options.learning_rate
@click.option("--loss", metavar="NAME", help="si-sdr, spectrum or combined.")
@options.seed
@options.settings
def train(run: Path, settings: tuple[str, ...], **flags: Any) -> None:
    """Train the float32 baseline of a run.

    With nothing given it trains TinyLSTM on a synthetic corpus; with --speech and --noise, with
    --noisy and --clean, or with a corpus at --path, on your own recordings. A network that is given
    as a file keeps its weights, unless
    --epochs says otherwise.
    """
    if flags["data"] is None:
        flags["data"] = _dataset(flags)
    if flags["words"] is not None:
        flags["words"] = flags["words"].split(",")
    flags["custom"] = list(flags["custom"]) or None
    values = {KEYS[flag]: value for flag, value in flags.items()} | assignments(settings)
    config = with_values(RunConfig(), values)
    from tinyprune.stages.train import train_baseline

    train_baseline(run, config)


def _dataset(flags: dict[str, Any]) -> str | None:
    """The data set that folders of speech, or a corpus of speech at a path, are for; None where they do not say."""
    if flags["speech"] or flags["noise"]:
        return "mixture"
    if flags["noisy"] or flags["clean"]:
        return "paired"
    if flags["path"]:
        from tinyprune.data.corpora.layouts import dataset_of

        return dataset_of(Path(flags["path"])) or None
    return None
