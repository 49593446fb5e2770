"""Speech for the long comparisons: the data they train on, baselines, and quality on the dev set."""

import argparse
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.shared.environment import ROOT, relative
from benchmarks.shared.report import Case
from benchmarks.shared.sizes import SIZES
from tinyprune.config import DataConfig, MixtureData, SyntheticSpeechData

#: Mixtures of recordings as they are: what measurements of before were made with.
AS_RECORDED: Mapping[str, Any] = {
    "speed": (1.0, 1.0),
    "babble": 0.0,
    "talkers": 0.0,
    "tilt_db": (0.0, 0.0),
    "colour_db": 0.0,
    "narrow": 0.0,
    "clipped": 0.0,
    "clean_share": 0.0,
    "follow_level": False,
}
SHARED = ROOT.parent / "shared" / "data"
FOLDERS = ("speech", "noise", "dev_speech", "dev_noise")


def folders(options: argparse.Namespace) -> dict[str, Path]:
    """Return the folders of the command line by the names of their options."""
    named = {name: getattr(options, name) for name in FOLDERS}
    return {name: folder for name, folder in named.items() if folder}


def folders_beside_the_repository() -> dict[str, Path]:
    """Return the folders of the real data, by the names of their options."""
    return {
        "speech": SHARED / "speech" / "train",
        "noise": SHARED / "noise" / "train",
        "dev_speech": SHARED / "speech" / "dev",
        "dev_noise": SHARED / "noise" / "dev",
    }


def data(options: argparse.Namespace) -> DataConfig:
    """Return the data of the command line; else the real data, where they are; else synthetic speech."""
    if options.smoke:
        return SyntheticSpeechData(minutes=SIZES.corpus_minutes, dev_utterances=2)
    corpus = folders(options)
    if not corpus and SHARED.exists():
        corpus = folders_beside_the_repository()
    if not corpus:
        return SyntheticSpeechData(minutes=2.0 if options.quick else 20.0)
    return MixtureData(**{name: str(folder) for name, folder in corpus.items()}, **AS_RECORDED)


def describe(config: DataConfig) -> str:
    """Return a note on where the data come from."""
    if config.name != "mixture":
        return f"data: {config.name}, {config.minutes:g} minutes"
    places = []
    for name in FOLDERS:
        if getattr(config, name):
            places.append(f"{name} {relative(Path(getattr(config, name)))}")
    return f"data: {', '.join(places)}"


def copy_baseline(source: Path, run: Path) -> None:
    """Copy the baseline of a run into a run of its own; decoded audio is linked.

    Nothing is added to the source.
    """
    if (run / "variants" / "baseline").exists():
        return
    shutil.copytree(source / "variants" / "baseline", run / "variants" / "baseline")
    if not (run / "data").exists():
        (run / "data").symlink_to((source / "data").resolve(), target_is_directory=True)


def dev_quality(variant: Path, baseline: Path, config: DataConfig, cache: Path) -> dict[str, float]:
    """Return SI-SDR and SDR in dB on dev, of the float network in a variant's folder."""
    import keras

    from tinyprune.audio.frontend import FrontEnd
    from tinyprune.export import forward
    from tinyprune.registry import DATASETS
    from tinyprune.storage.records import read_json
    from tinyprune.tasks.speech import Speech

    model = keras.models.load_model(variant / "model.keras")
    frontend = read_json(baseline / "frontend.json", FrontEnd)
    task = Speech(DATASETS[config.name](config, cache), frontend)
    return task.quality(forward.of_keras(model), "float", "dev").metrics


def cases(scores: dict[str, list[dict[str, float]]]) -> list[Case]:
    """Return two cases per kind of training: SI-SDR and SDR.

    Args:
        scores: kind of training -> the metrics of each of its runs.
    """
    names = {"si_sdr_db": "SI-SDR", "sdr_db": "SDR"}
    cases = []
    for metric, name in names.items():
        for training, runs in scores.items():
            samples = [metrics[metric] for metrics in runs]
            cases.append(Case(f"{training}: dev {name}", "dB", samples))
    return cases
