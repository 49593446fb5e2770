"""What the long comparisons share: the data they train on, baselines, and the quality of a network on its dev set."""

import argparse
import logging
import shutil
from pathlib import Path

from benchmarks.common import ROOT, Case, relative
from tinyprune.config import DataConfig

SHARED = ROOT.parent / "shared" / "data"
FOLDERS = ("speech", "noise", "dev_speech", "dev_noise")


def log_to_stderr() -> None:
    """One line per epoch."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("tinyprune").setLevel(logging.INFO)


def data(options: argparse.Namespace) -> DataConfig:
    """The folders on the command line; else the real data beside the repository; else synthetic speech."""
    given = {name: getattr(options, name) for name in FOLDERS if getattr(options, name)}
    if not given and SHARED.exists():
        splits = {"": "train", "dev_": "dev"}
        given = {
            f"{prefix}{kind}": SHARED / kind / split
            for prefix, split in splits.items()
            for kind in FOLDERS[:2]
        }
    if not given:
        return DataConfig(minutes=2.0 if options.quick else 20.0)
    return DataConfig("mixture", **{name: str(path) for name, path in given.items()})


def describe(config: DataConfig) -> str:
    """Where the data come from, for the notes."""
    if config.name != "mixture":
        return f"data: {config.name}, {config.minutes:g} minutes"
    return "data: " + ", ".join(
        f"{n} {relative(Path(getattr(config, n)))}" for n in FOLDERS if getattr(config, n)
    )


def copy_baseline(source: Path, run: Path) -> None:
    """The baseline of a run as a run of its own, so that nothing is added to the given one; decoded audio is linked."""
    if not (run / "variants" / "baseline").exists():
        shutil.copytree(source / "variants" / "baseline", run / "variants" / "baseline")
        if not (run / "data").exists():
            (run / "data").symlink_to((source / "data").resolve(), target_is_directory=True)


def dev_quality(
    variant: Path, frontend_of: Path, config: DataConfig, cache: Path
) -> dict[str, float]:
    """SI-SDR and SDR in dB on dev, of the float network in a variant's folder."""
    import keras

    from tinyprune.audio.frontend import FrontEnd
    from tinyprune.export import forward
    from tinyprune.registry import DATASETS
    from tinyprune.storage.records import read_json
    from tinyprune.tasks.speech import Speech

    model = keras.models.load_model(variant / "model.keras")
    frontend = read_json(frontend_of / "frontend.json", FrontEnd)
    task = Speech(DATASETS[config.name](config, cache), frontend)
    return task.quality(forward.of_keras(model), "float", "dev").metrics


def cases(found: dict[str, list[dict[str, float]]]) -> list[Case]:
    """Two cases per way of training: SI-SDR and SDR."""
    names = {"si_sdr_db": "SI-SDR", "sdr_db": "SDR"}
    return [
        Case(f"{way}: dev {name}", "dB", [scores[key] for scores in runs])
        for key, name in names.items()
        for way, runs in found.items()
    ]
