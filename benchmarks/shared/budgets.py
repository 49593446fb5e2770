"""The networks that are pruned to budgets: their limits, their data, their baselines."""

import argparse
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.paper.experiment import default
from benchmarks.paper.rows import IMAGES, KEYWORDS, SPEECH
from benchmarks.shared import toys
from benchmarks.shared.environment import relative
from benchmarks.shared.report import Unavailable
from benchmarks.shared.speech_data import (
    AS_RECORDED,
    SHARED,
    copy_baseline,
    folders,
    folders_beside_the_repository,
)
from tinyprune.config import (
    DataConfig,
    ImageData,
    MixtureData,
    ModelConfig,
    RunConfig,
    SyntheticSpeechData,
    TargetConfig,
    TrainConfig,
    from_mapping,
)
from tinyprune.storage.writing import write_arrays

NPU = TargetConfig("ethos-u55-128", memory_mode="Sram_Only")
QUICK_EPOCHS = 2
#: Of toy networks, whose epochs are a few steps: fewer say the same of every input.
SMOKE_EPOCHS = 12
SHAPES = {KEYWORDS: (49, 10, 1), IMAGES: (32, 32, 3)}
_CLASSES = 4


@dataclass(frozen=True)
class Setting:
    """One network.

    Attributes:
        model: name in registry.MODELS. task: name of its data.
        epochs, pruning: epochs of the baseline, and of every method that meets the budget.
        cuts: quantity -> the dense int8 network's amount over the allowed one.
        extreme: the same of the budget that only differentiable pruning tries.
        target: the NPU whose flash and cycles these are; None: the project's own count, as for a
            microcontroller.
    """

    model: str
    task: str
    epochs: int
    pruning: int
    cuts: Mapping[str, float]
    extreme: Mapping[str, float]
    target: TargetConfig | None = None


_QUARTER = {"flash": 4.0, "MACs": 4.0}
_THIRD = {"flash": 3.0, "cycles": 3.0}
_SETTINGS = (
    Setting("ds_cnn", KEYWORDS, 100, 60, _QUARTER, {"MACs": 20.0}),
    Setting("resnet8", IMAGES, 60, 30, _QUARTER, {"flash": 50.0}),
    Setting("mobilenet_v2", IMAGES, 30, 16, _QUARTER, {"flash": 50.0}),
    Setting("crn", SPEECH, 16, 10, _THIRD, {"MACs": 20.0}, NPU),
    Setting("tinylstm", SPEECH, 20, 12, _THIRD, {"flash": 20.0}, NPU),
)
SETTINGS = {setting.model: setting for setting in _SETTINGS}


def selected_settings(options: argparse.Namespace) -> list[Setting]:
    """Return the settings that ``--only`` names; all without it. Raises Unavailable for others."""
    return [SETTINGS[name] for name in selected_names(options, SETTINGS, len(SETTINGS))]


def selected_names(options: argparse.Namespace, known: Collection[str], most: int) -> list[str]:
    """Return the cases that ``--only`` names, without it the first ``most`` that are known.

    Raises Unavailable for one that is not known.
    """
    if not options.only:
        return list(known)[:most]
    return named("--only", options.only, known)


def named(option: str, text: str, known: Collection[str]) -> list[str]:
    """Return the names that an option lists, with commas. Raises Unavailable for one that is not known."""
    names = text.split(",")
    for name in names:
        if name not in known:
            expected = ", ".join(known)
            raise Unavailable(f"{option}: there is no '{name}': expected some of {expected}")
    return names


@dataclass(frozen=True)
class TrainedBaseline:
    """A network whose baseline is trained.

    Attributes:
        setting: its budgets and epochs.
        run: its run folder.
        data: a description of the data that it was trained on, for the notes.
    """

    setting: Setting
    run: Path
    data: str


def trained_baseline(setting: Setting, options: argparse.Namespace) -> TrainedBaseline:
    """Return the baseline of a setting, which is trained, or copied from ``--baseline``."""
    from tinyprune.stages.train import train_baseline

    if options.quick:
        epochs = SMOKE_EPOCHS if options.smoke else QUICK_EPOCHS
        setting = replace(setting, epochs=epochs, pruning=epochs)
    setting = replace(setting, pruning=options.epochs or setting.pruning)
    if options.baseline:
        run = options.work / f"differentiable-{setting.model}-given"
        share_data(run, options.work)  # not with the source, which stays as it is
        copy_baseline(options.baseline, run)
        return TrainedBaseline(setting, run, f"baseline {relative(options.baseline)}")
    data, description = data_of(setting.task, options)
    run = options.work / f"differentiable-{setting.model}-{data.name}-{setting.epochs}"
    share_data(run, options.work)
    train = TrainConfig(epochs=setting.epochs, batch_size=8 if options.quick else 64)
    model = setting.model
    if options.smoke:
        model = toys.NETWORKS.get(model, model)
    train_baseline(run, RunConfig(data, ModelConfig(model), train))
    return TrainedBaseline(setting, run, description)


def share_data(run: Path, work: Path) -> None:
    """Let a run keep its decoded data where the others do."""
    if (run / "data").exists():
        return
    (work / "data").mkdir(parents=True, exist_ok=True)
    run.mkdir(parents=True, exist_ok=True)
    (run / "data").symlink_to((work / "data").resolve(), target_is_directory=True)


def data_of(task: str, options: argparse.Namespace) -> tuple[DataConfig, str]:
    """Return the data of a task and their description.

    The data are synthetic where there are no real ones, and for ``--quick``.
    """
    if task == SPEECH:
        return _speech(options)
    place = default(task)
    if place.exists() and not options.quick:
        table = {"name": task, "path": str(place.resolve())}
        return from_mapping(table, DataConfig), relative(place)
    path = options.work / f"synthetic-{task}.npz"
    write_patterns(path, SHAPES[task], 16 if options.quick else 250)
    description = "SYNTHETIC: noisy patterns, one per class"
    return ImageData(path=str(path.resolve()), augment=False), description


def _speech(options: argparse.Namespace) -> tuple[DataConfig, str]:
    corpus = folders(options)
    if not corpus and (SHARED / "speech").exists() and not options.quick:
        corpus = folders_beside_the_repository()
    if corpus:
        places = {name: str(folder.resolve()) for name, folder in corpus.items()}
        description = ", ".join(relative(Path(place)) for place in places.values())
        return MixtureData(dev_utterances=96, **places, **AS_RECORDED), description
    minutes, utterances = (0.5, 4) if options.quick else (20.0, 48)
    config = SyntheticSpeechData(minutes=minutes, dev_utterances=utterances)
    return config, f"SYNTHETIC: {minutes:g} minutes of speech"


def write_patterns(path: Path, shape: tuple[int, ...], count: int) -> None:
    """Write examples of a few classes: a smooth pattern each, at any place, in a lot of noise.

    Args:
        path: of the ``.npz``; nothing is done where it is.
        shape: of an example.
        count: of the training examples per class.
    """
    if path.exists():
        return
    rng = np.random.default_rng(0)
    patterns = rng.standard_normal((_CLASSES, *shape))
    for axis in (1, 2):
        patterns = sum(np.roll(patterns, step, axis) for step in range(3))

    arrays: dict[str, np.ndarray] = {}
    held_out = max(8, count // 4)
    for split, examples in {"train": count, "dev": held_out, "test": held_out}.items():
        labels = np.repeat(np.arange(_CLASSES), examples)
        shifts = rng.integers(0, shape[0], len(labels))
        moved = []
        for label, shift in zip(labels, shifts, strict=True):
            moved.append(np.roll(patterns[label], shift, 0))
        noise = rng.standard_normal((len(labels), *shape))
        pixels = 128 + 20 * np.stack(moved) + 60 * noise
        arrays[f"x_{split}"] = np.clip(pixels, 0, 255).astype(np.uint8)
        arrays[f"y_{split}"] = labels
    write_arrays(path, arrays)
