"""Which networks are pruned to which budgets, on which data, and their baselines."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.common import Unavailable, relative
from benchmarks.longrun import FOLDERS, copy_baseline
from benchmarks.paper.experiment import DATA, default
from benchmarks.paper.rows import IMAGES, KEYWORDS, SPEECH
from tinyprune.config import DataConfig, ModelConfig, RunConfig, TargetConfig, TrainConfig
from tinyprune.storage.writing import write_arrays

NPU = TargetConfig("ethos-u55-128", memory_mode="Sram_Only")
QUICK_EPOCHS = 2
_SHAPES = {KEYWORDS: (49, 10, 1), IMAGES: (32, 32, 3)}
_CLASSES = 4


@dataclass(frozen=True)
class Setting:
    """One network.

    Attributes:
        model: registry.MODELS. task: which data.
        epochs, pruning: of the baseline, and of every way to meet the budget.
        cuts: quantity -> how many times less than the dense int8 network is allowed.
        extreme: the same of the budget that only differentiable pruning tries.
        target: whose flash and cycles these are; None: our own count, as for a microcontroller.
    """

    model: str
    task: str
    epochs: int
    pruning: int
    cuts: Mapping[str, float]
    extreme: Mapping[str, float]
    target: TargetConfig | None = None


_QUARTER, _THIRD = {"flash": 4.0, "MACs": 4.0}, {"flash": 3.0, "cycles": 3.0}
SETTINGS = {
    setting.model: setting
    for setting in (
        Setting("ds_cnn", KEYWORDS, 100, 60, _QUARTER, {"MACs": 20.0}),
        Setting("resnet8", IMAGES, 60, 30, _QUARTER, {"flash": 50.0}),
        Setting("mobilenet_v2", IMAGES, 30, 16, _QUARTER, {"flash": 50.0}),
        Setting("crn", SPEECH, 16, 10, _THIRD, {"MACs": 20.0}, NPU),
        Setting("tinylstm", SPEECH, 20, 12, _THIRD, {"flash": 20.0}, NPU),
    )
}


def chosen(options: argparse.Namespace) -> list[Setting]:
    """The settings that ``--only`` names; all without it. Raises Unavailable for others."""
    names = options.only.split(",") if options.only else list(SETTINGS)
    unknown = [name for name in names if name not in SETTINGS]
    if unknown:
        raise Unavailable(
            f"--only: there is no network '{unknown[0]}': expected some of {', '.join(SETTINGS)}"
        )
    return [SETTINGS[name] for name in names]


@dataclass(frozen=True)
class Contest:
    """A network whose baseline is trained.

    Attributes:
        setting: what is done with it. run: its run folder. data: what it was trained on, for the
            notes.
    """

    setting: Setting
    run: Path
    data: str


def prepared(setting: Setting, options: argparse.Namespace) -> Contest:
    """The contest of a setting; its baseline is trained, or copied from ``--baseline``."""
    from tinyprune.stages.train import train_baseline

    if options.quick:
        setting = replace(setting, epochs=QUICK_EPOCHS, pruning=QUICK_EPOCHS)
    setting = replace(setting, pruning=options.epochs or setting.pruning)
    if options.baseline:
        run = options.work / f"differentiable-{setting.model}-given"
        share_data(run, options.work)  # not with the given run, which stays as it is
        copy_baseline(options.baseline, run)
        return Contest(setting, run, f"baseline {relative(options.baseline)}")
    data, what = data_of(setting.task, options)
    run = options.work / f"differentiable-{setting.model}-{data.name}-{setting.epochs}"
    share_data(run, options.work)
    train = TrainConfig(epochs=setting.epochs, batch_size=8 if options.quick else 64)
    train_baseline(run, RunConfig(data, ModelConfig(setting.model), train))
    return Contest(setting, run, what)


def share_data(run: Path, work: Path) -> None:
    """Let a run keep its decoded data where the others do."""
    if not (run / "data").exists():
        (work / "data").mkdir(parents=True, exist_ok=True)
        run.mkdir(parents=True, exist_ok=True)
        (run / "data").symlink_to((work / "data").resolve(), target_is_directory=True)


def data_of(task: str, options: argparse.Namespace) -> tuple[DataConfig, str]:
    """The real data, or synthetic ones where there are none and for ``--quick``; and what they are."""
    if task == SPEECH:
        return _speech(options)
    place = default(task)
    if place.exists() and not options.quick:
        return DataConfig(task, path=str(place.resolve())), relative(place)
    path = options.work / f"synthetic-{task}.npz"
    if not path.exists():
        write_arrays(path, _arrays(_SHAPES[task], 16 if options.quick else 250))
    return DataConfig(
        "images", path=str(path.resolve()), augment=False
    ), "SYNTHETIC: noisy patterns, one per class"


def _speech(options: argparse.Namespace) -> tuple[DataConfig, str]:
    given = {name: getattr(options, name) for name in FOLDERS if getattr(options, name)}
    if not given and (DATA / "speech").exists() and not options.quick:
        splits = {"": "train", "dev_": "dev"}
        given = {
            f"{prefix}{kind}": DATA / kind / split
            for prefix, split in splits.items()
            for kind in FOLDERS[:2]
        }
    if given:
        places = {name: str(Path(place).resolve()) for name, place in given.items()}
        return DataConfig("mixture", dev_utterances=96, **places), ", ".join(
            map(relative, map(Path, places.values()))
        )
    minutes, utterances = (0.5, 4) if options.quick else (20.0, 48)
    return DataConfig(
        minutes=minutes, dev_utterances=utterances
    ), f"SYNTHETIC: {minutes:g} minutes of speech"


def _arrays(shape: tuple[int, ...], each: int) -> dict[str, np.ndarray]:
    """Images of a few classes: a smooth pattern each, at any place, in a lot of noise."""
    rng = np.random.default_rng(0)
    patterns = rng.standard_normal((_CLASSES, *shape))
    for axis in (1, 2):
        patterns = sum(np.roll(patterns, step, axis) for step in range(3))
    arrays: dict[str, np.ndarray] = {}
    for split, count in (("train", each), ("dev", max(8, each // 4))):
        labels = np.repeat(np.arange(_CLASSES), count)
        shifts = rng.integers(0, shape[0], len(labels))
        moved = np.stack(
            [np.roll(patterns[k], shift, 0) for k, shift in zip(labels, shifts, strict=True)]
        )
        pixels = 128 + 20 * moved + 60 * rng.standard_normal(moved.shape)
        arrays |= {f"x_{split}": np.clip(pixels, 0, 255).astype(np.uint8), f"y_{split}": labels}
    return arrays
