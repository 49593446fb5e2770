"""The training of the network that comes with tinyprune: folders, the weights that it starts from, the recipe."""

import csv
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from string import Template

from benchmarks.paper import sources
from benchmarks.paper.sources import MANIFEST, Source
from benchmarks.shared.environment import ROOT
from tinyprune.audio.files import list_audio
from tinyprune.audio.frontend import FrontEnd
from tinyprune.config import TrainConfig
from tinyprune.config.recipe import load_recipe
from tinyprune.errors import UsageError
from tinyprune.storage.records import read_json, write_text
from tinyprune.storage.run_folder import BASELINE, Variant, Workspace

#: What all trainings learn from, and the steps: in float32, pruned in int8, and pruned again.
DATA_RECIPE, TUNE, PRUNE, FINISH = (
    Path(__file__).with_name(f"{name}.toml") for name in ("data", "tune", "prune", "finish")
)
#: Shares of what was trained in the means of weights that the second and the third step begin with.
TUNED_SHARE, PRUNED_SHARE = 0.5, 1.0
START = Path(__file__).with_name("start") / "denoiser.tflite"
KINDS = ("speech", "noise")


@dataclass(frozen=True)
class Places:
    """Folders of a training.

    Attributes:
        data: speech and noise, each with train, dev and test. more: speech and noise to train on
            beside them. work: where the training is kept.
    """

    data: Path
    more: Path
    work: Path

    def weights(self, step: Path) -> Path:
        """The network that a step begins with."""
        return self.work / f"{step.stem}.keras"

    def run(self, step: Path) -> Path:
        """The run folder of a step."""
        return self.work / step.stem

    def training(self, kind: str) -> Path:
        """The folder of speech or noise to train on, of both places together."""
        return self.work / kind

    def recipe(self, step: Path) -> Path:
        """Write the recipe of a step with its places; return its file."""
        places = {"weights": self.weights(step)}
        for kind in KINDS:
            places[kind] = self.training(kind)
            places[f"dev_{kind}"] = self.data / kind / "dev"
        parts = [path.read_text(encoding="utf-8") for path in (DATA_RECIPE, step)]
        write_text(self.work / step.name, Template("\n".join(parts)).safe_substitute(places))
        return self.work / step.name


def train(places: Places) -> int:
    """Run the three steps, from where they were left; return the exit code of the one that ended.

    The second begins with the mean of the weights before and after the first (Wortsman et al. 2022,
    "Robust fine-tuning of zero-shot models"): on clean speech a mean is nearly as good as what was
    trained, on noise that was known before it is nearly as good as what it was before.
    """
    from benchmarks.pretrained.network import with_weights_of

    for kind in KINDS:
        merge([places.data / kind / "train", places.more / kind], places.training(kind))
    if not places.weights(TUNE).exists():
        with_weights_of(START, _front_end(places, TUNE)).save(places.weights(TUNE))
    code = _run(places, TUNE)
    if code == 0:
        tuned = Workspace(places.run(TUNE)).variant(BASELINE)
        _save_mean(places, PRUNE, tuned, TUNED_SHARE)
        code = _run(places, PRUNE)
    if code == 0:
        _save_mean(places, FINISH, pruned_variant(places.run(PRUNE)), PRUNED_SHARE)
        code = _run(places, FINISH)
    return code


def pruned_variant(run: Path) -> Variant:
    """Return the pruned variant of a run. Raises UsageError while there is none."""
    for variant in Workspace(run).variants():
        if variant.name != BASELINE and (variant.folder / "streaming.json").exists():
            return variant
    raise UsageError(f"no pruned network in {run}: train first")


def _run(places: Places, step: Path) -> int:
    recipe, run = str(places.recipe(step)), str(places.run(step))
    command = [sys.executable, "-m", "tinyprune", "run", recipe, "--run", run]
    return subprocess.run(command, check=False, cwd=ROOT).returncode


def merge(folders: Iterable[Path], target: Path) -> None:
    """Link the audio files of some folders into one, where they are not there yet."""
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"there is no {folder}: expected a folder of audio files")
        for path in list_audio(folder):
            place = target / path.relative_to(folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():
                os.link(path, place)


def _front_end(places: Places, step: Path) -> FrontEnd:
    """Return the front end of a step, whose statistics are of its own data."""
    from tinyprune.registry import DATASETS
    from tinyprune.tasks.speech import Speech

    config = load_recipe(places.recipe(step))
    dataset = DATASETS[config.data.name](config.data, Workspace(places.run(step)).data)
    return Speech.create(dataset, TrainConfig()).frontend


def _save_mean(places: Places, step: Path, trained: Variant, share: float) -> None:
    """Save the weights that a step begins with, for its front end."""
    import keras

    from benchmarks.pretrained.network import for_front_end, with_weights_of

    if places.weights(step).exists():
        return
    baseline = trained.folder.with_name(BASELINE)
    before = read_json(baseline / "frontend.json", FrontEnd)
    after = _front_end(places, step)
    weights = keras.models.load_model(trained.folder / "model.keras").get_weights()
    model = with_weights_of(START, after)
    pairs = zip(model.get_weights(), for_front_end(weights, before, after), strict=True)
    model.set_weights([(1 - share) * old + share * new for old, new in pairs])
    model.save(places.weights(step))


def training_sources(places: Places) -> list[Source]:
    """Where the recordings came from, counted in their folders."""
    return [
        *sources.speech(places.training("speech")),
        *sources.noise(places.data / "noise" / "train"),
        *_noise_of_more(places.more),
    ]


def _noise_of_more(folder: Path) -> Iterator[Source]:
    """The sources of the noise beside the corpus, as its manifest says."""
    with (folder / MANIFEST).open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "noise"]

    def origin(row: dict[str, str]) -> tuple[str, str]:
        return row["source_repo"], row["licence"]

    for (name, licence), group in groupby(sorted(rows, key=origin), origin):
        found = [*group]
        authors = {row["author"] for row in found} if "BY" in licence else set()
        seconds = sum(float(row["seconds"]) for row in found)
        yield Source("noise", name, licence, len(found), seconds, tuple(sorted(authors)))
