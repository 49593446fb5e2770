"""From the finished training to the files in the package and the model card."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.pretrained import card
from benchmarks.pretrained.card import Shipped
from benchmarks.pretrained.measure import Record
from benchmarks.pretrained.training import (
    FINISH,
    PRUNE,
    TUNE,
    Places,
    pruned_variant,
    training_sources,
)
from benchmarks.shared.environment import ROOT, environment
from tinyprune import pretrained
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.quality import Quality
from tinyprune.artifacts.resources import CompiledArtifact
from tinyprune.audio.device import DeviceFrontEnd
from tinyprune.config.recipe import load_recipe
from tinyprune.errors import TinypruneError
from tinyprune.npu import vela
from tinyprune.storage.digests import sha256
from tinyprune.storage.records import read_json, write_json, write_text
from tinyprune.storage.run_folder import BASELINE, Variant, Workspace
from tinyprune.storage.writing import writing

FORM = "streaming"
TEST_MIXTURES = 96
CARD = ROOT / "docs" / "pretrained.md"
RESULTS = Path(__file__).with_name("results")


@dataclass(frozen=True)
class Trained:
    """The pruned network of a finished training.

    Attributes:
        variant: its folder. artifact: its int8 streaming graph. data_sha256: of its training data.
    """

    variant: Variant
    artifact: TFLiteArtifact
    data_sha256: str

    @property
    def network(self) -> Path:
        """The graph."""
        return self.variant.folder / f"{FORM}.tflite"


def trained(places: Places) -> Trained:
    """Return the pruned network. Raises UsageError while there is none."""
    run = places.run(FINISH)
    variant = pruned_variant(run)
    artifact = read_json(variant.folder / f"{FORM}.json", TFLiteArtifact)
    claim = Workspace(run).variant(BASELINE).configuration()
    return Trained(variant, artifact, claim["data_sha256"])


def result(name: str) -> Path:
    """Return the file of a measurement."""
    return RESULTS / f"{name}.json"


def ship(places: Places, name: str) -> Path:
    """Copy the trained network into the package and write its card, which is returned.

    ``name``: of its measurement, whose limit of attenuation goes into the front end's record.
    Raises TinypruneError where that is of another network.
    """
    found = trained(places)
    measured = read_json(result(name), Record)
    before = read_json(result("before"), Record)
    if not sha256(found.network) == measured.network == found.artifact.sha256:
        raise TinypruneError(f"{result(name)} is of another network: measure it again")
    front_end = read_json(found.network.with_suffix(".frontend.json"), DeviceFrontEnd)
    front_end = replace(front_end, max_attenuation_db=measured.limit_db)
    reports = {}
    for folder in sorted((found.variant.folder / "compiled").iterdir()):
        reports[folder.name] = read_json(folder / vela.RECORD_NAME, CompiledArtifact).report
    text = card.text(
        Shipped(
            artifact=found.artifact,
            front_end=front_end,
            tuned=load_recipe(places.recipe(TUNE)),
            pruned=load_recipe(places.recipe(PRUNE)),
            recipe=load_recipe(places.recipe(FINISH)),
            data_sha256=found.data_sha256,
            reports=reports,
            sources=training_sources(places),
            measured=measured,
            before=before,
            made_with=environment(),
        )
    )
    _copy(found, front_end)
    write_json(pretrained.qualities(), qualities(measured))
    write_text(CARD, text)
    return CARD


def qualities(measured: Record) -> list[Quality]:
    """Return the scores on the paper's test mixtures as the package has them."""
    noisy = Quality("noisy", "test", TEST_MIXTURES, 0, measured.test_noisy)
    return [noisy, Quality(FORM, "test", TEST_MIXTURES, 0, measured.test)]


def _copy(found: Trained, front_end: DeviceFrontEnd) -> None:
    network = pretrained.denoiser()
    with writing(network) as part:
        shutil.copyfile(found.network, part)
    write_json(network.with_suffix(".frontend.json"), replace(front_end, model=network.name))
    write_json(network.with_suffix(".json"), replace(found.artifact, path=Path(network.name)))
