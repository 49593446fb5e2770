"""What is trained on what: data folders, baselines, and the key that keeps rows of different experiments apart."""

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.paper.rows import IMAGES, KEYWORDS, SPEECH
from benchmarks.shared.environment import ROOT
from benchmarks.shared.speech_data import AS_RECORDED
from tinyprune.config import (
    DataConfig,
    ImageData,
    KeywordData,
    MixtureData,
    ModelConfig,
    RunConfig,
    SyntheticSpeechData,
    TrainConfig,
    from_mapping,
    to_mapping,
)
from tinyprune.config.settings import setting_of
from tinyprune.errors import UsageError
from tinyprune.storage.run_folder import BASELINE, Workspace

DATA = Path(os.environ.get("TINYPRUNE_DATA", ROOT.parent / "shared" / "data"))
SPLITS = ("train", "dev", "test")
#: Settings of the places of data, which say nothing about what the data are.
PLACES = {name for name, field in DataConfig.family.fields.items() if setting_of(field).is_place}

#: How each baseline is trained; with the learning rates that do best on dev.
BASELINES = {
    SPEECH: RunConfig(
        data=MixtureData(dev_utterances=96, **AS_RECORDED),
        model=ModelConfig("tinylstm"),
        train=TrainConfig(epochs=120, learning_rate=4e-3),
    ),
    KEYWORDS: RunConfig(
        KeywordData(), ModelConfig("ds_cnn"), TrainConfig(epochs=100, learning_rate=4e-3)
    ),
    IMAGES: RunConfig(
        ImageData(), ModelConfig("resnet8"), TrainConfig(epochs=60, learning_rate=4e-3)
    ),
}
QUICK = RunConfig(
    data=SyntheticSpeechData(minutes=0.5, dev_utterances=4),
    model=ModelConfig("tinylstm"),
    train=TrainConfig(epochs=2, batch_size=8, learning_rate=1e-3),
)
NEEDS = (
    "expected DIR/train, DIR/dev and DIR/test of WAV, FLAC or OGG files, for --speech clean speech such as LibriSpeech "
    "(openslr.org/12), for --noise such as ESC-50 (github.com/karolpiczak/ESC-50); about 1 GB of disk"
)


@dataclass(frozen=True)
class Folders:
    """Where the data are; what is None was not given and is looked for in the default place.

    Attributes:
        speech, noise: folders with train, dev and test. keywords: folder of such folders of words.
            images: ``.npz``.
    """

    speech: Path | None = None
    noise: Path | None = None
    keywords: Path | None = None
    images: Path | None = None


@dataclass(frozen=True)
class Experiment:
    """One baseline and all that is made of it.

    Attributes:
        task: what for. config: of the baseline, seed included. key: digest of both and of the data.
        folder: the run folder.
    """

    task: str
    config: RunConfig
    key: str
    folder: Path


def configured(task: str, folders: Folders, seed: int) -> RunConfig | None:
    """The baseline of a task on its data; None where smaller data are not there and nobody asked for them.

    Raises UsageError, saying where to get them, for data that are needed.
    """
    base = BASELINES[task]
    data = _speech(folders) if task == SPEECH else _path(task, folders)
    return data and replace(
        base, data=replace(base.data, **data), train=replace(base.train, seed=seed)
    )


def quick(seed: int) -> RunConfig:
    """The baseline of toy size."""
    return replace(QUICK, train=replace(QUICK.train, seed=seed))


def default(task: str) -> Path:
    """Where the data of a smaller table are looked for."""
    return DATA / "keywords" if task == KEYWORDS else DATA / "images" / "cifar10_subset.npz"


def experiment(task: str, config: RunConfig, work: Path) -> Experiment:
    """The experiment of a baseline. The data are read (and decoded, once) for their digest.

    Its folder is ``work`` itself if that is the run folder of this very baseline, else one in it.
    """
    from tinyprune.registry import DATASETS

    fingerprint = DATASETS[config.data.name](config.data, work / "data").fingerprint()
    key = key_of(config, hashlib.sha256(fingerprint.encode()).hexdigest())
    folder = work if key_in(work) == key else work / f"{task}-{key}"
    if folder != work and not (folder / "data").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "data").symlink_to(Path("..") / "data", target_is_directory=True)
    return Experiment(task, config, key, folder)


def key_of(config: RunConfig, data_sha256: str) -> str:
    """Eight hexadecimal digits of the data and of all that differs from the defaults; not of where the data are."""
    text = json.dumps({**described(config), "data_sha256": data_sha256}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def key_in(folder: Path) -> str | None:
    """The key of the baseline in a run folder, finished or not; None if there is none."""
    baseline = Workspace(folder).variant(BASELINE)
    if not (baseline.folder / "variant.json").exists():
        return None
    claim = baseline.configuration()
    parts = {
        name: {key: value for key, value in claim[name].items() if value is not None}
        for name in ("data", "model", "train")
    }
    return key_of(from_mapping(parts), claim["data_sha256"])


def described(config: RunConfig) -> dict[str, Any]:
    """What of a baseline's configuration differs from the defaults, without the places of the data."""
    parts = {name: getattr(config, name) for name in ("data", "model", "train")}
    return {name: _changed(part) for name, part in parts.items()}


def _changed(part: Any) -> dict[str, Any]:
    values, default = to_mapping(part), to_mapping(type(part)())
    return {
        name: value
        for name, value in values.items()
        if value != default[name] and name not in PLACES
    }


def _speech(folders: Folders) -> dict[str, str]:
    places = {kind: getattr(folders, kind) or DATA / kind for kind in ("speech", "noise")}
    for kind, place in places.items():
        missing = next((place / split for split in SPLITS if not (place / split).is_dir()), None)
        if missing:
            raise UsageError(f"--{kind}: there is no {missing}: {NEEDS}")
    prefixes = {"": "train", "dev_": "dev", "test_": "test"}
    return {
        f"{p}{kind}": str(place.resolve() / split)
        for kind, place in places.items()
        for p, split in prefixes.items()
    }


def _path(task: str, folders: Folders) -> dict[str, str] | None:
    given = getattr(folders, task)
    place = given or default(task)
    if place.exists():
        return {"path": str(place.resolve())}
    if given:
        what = (
            "train, dev and test folders of WORD/*.wav"
            if task == KEYWORDS
            else "CIFAR-10 as .npz or its pickles"
        )
        raise UsageError(f"--{task}: there is no {given}: expected {what}")
    return None
