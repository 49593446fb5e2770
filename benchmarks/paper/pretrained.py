"""The network that comes with tinyprune, made of a finished row: its files in the package, and its model card."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.paper import by_snr, card, robustness, sources
from benchmarks.paper.card import Shipped
from benchmarks.paper.experiment import key_in
from benchmarks.paper.record import RowRecord
from benchmarks.paper.rows import FLOAT, SPEECH, Row
from benchmarks.paper.view import View, view_of
from benchmarks.paper.worker import pruning_of
from benchmarks.shared.environment import ROOT
from tinyprune import pretrained
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.resources import CompiledArtifact
from tinyprune.audio.device import DeviceFrontEnd
from tinyprune.config.values import each_of
from tinyprune.errors import TinypruneError, UsageError, unknown_name
from tinyprune.npu import vela
from tinyprune.storage.digests import sha256
from tinyprune.storage.records import read_json, write_json, write_text
from tinyprune.storage.run_folder import BASELINE, Variant, Workspace
from tinyprune.storage.writing import writing

FORM, MOST_BYTES = "streaming", 2_000_000


@dataclass(frozen=True)
class Place:
    """Where it goes. Attributes: network: the ``.tflite``, its records beside it. card: the model card."""

    network: Path = pretrained.denoiser()
    card: Path = ROOT / "docs" / "pretrained.md"


def ship(
    name: str, work: Path, results: Path, rows: Sequence[Row], place: Place | None = None
) -> Path:
    """Copy the network of a row into the package and write its card; returns the card.

    Args:
        name: of the row, of the speech experiment with the newest row.
        work: where its training is kept. results: folder of the records. rows: all there are.
        place: where to; default: the package and docs/ of this checkout.

    Raises UsageError for a row that has no int8 network, TinypruneError where files do not belong
    to its record.
    """
    place = place or Place()
    view = view_of(results, SPEECH, rows)
    found = _found(view, name)
    space = _space(work, found)
    variant = space.variant(found.row if found.config else BASELINE)
    artifact = read_json(variant.folder / f"{FORM}.json", TFLiteArtifact)
    front_end = read_json(variant.folder / f"{FORM}.frontend.json", DeviceFrontEnd)
    _check(found, variant, artifact, front_end)
    shipped = Shipped(
        view=view,
        row=found,
        claim=_claim(space),
        artifact=artifact,
        front_end=front_end,
        reports={target: _compiled(variant, target).report for target in found.costs},
        sources=_sources(space),
        by_snr=by_snr.measure(variant.folder / f"{FORM}.tflite", *_dev_folders(space)),
        robustness=robustness.measure(variant.folder / f"{FORM}.tflite", *_dev_folders(space)),
    )
    text = card.text(shipped)  # whatever is missing is said before anything is written
    _copy(variant.folder, place.network, artifact, front_end)
    write_text(place.card, text)
    return place.card


def _found(view: View, name: str) -> RowRecord:
    """The record of a row. Raises UsageError where it is no finished int8 network."""
    known = {
        row: found
        for row, found in view.records.items()
        if found.is_finished and found.way != FLOAT
    }
    if name not in known:
        raise unknown_name("finished row with an int8 network", name, [*known] or ["none so far"])
    return known[name]


def _space(work: Path, found: RowRecord) -> Workspace:
    """The run folder of a row. Raises UsageError if it is not there."""
    for folder in (work, work / f"{SPEECH}-{found.key}"):
        if key_in(folder) == found.key:
            return Workspace(folder)
    raise UsageError(
        f"--pretrained: {work} is not where {found.row} was trained (key {found.key}): give its --work"
    )


def _check(
    found: RowRecord, variant: Variant, artifact: TFLiteArtifact, front_end: DeviceFrontEnd
) -> None:
    """Raise TinypruneError unless the files are those of the record, of one another, and small enough."""
    claim, network = variant.configuration(), variant.folder / f"{FORM}.tflite"
    is_trained = "offline" not in claim
    claimed = claim.get("prune") if is_trained else claim["offline"]
    if found.config and pruning_of(claimed, is_trained) != pruning_of(found.config, is_trained):
        raise TinypruneError(
            f"{variant.folder} was made by another configuration than {found.row}: run that row again"
        )
    if not sha256(network) == artifact.sha256 == front_end.sha256:
        raise TinypruneError(f"{network} is not the graph of its own records: export it again")
    if (artifact.file_bytes, artifact.sparsity) != (found.file_bytes, found.sparsity):
        raise TinypruneError(f"{network} is not what was scored as {found.row}: run that row again")
    total = sum((variant.folder / name).stat().st_size for name in _names(FORM))
    if total > MOST_BYTES:
        raise TinypruneError(
            f"{found.row} would add {total} B to the package: at most {MOST_BYTES} are allowed"
        )


def _names(stem: str) -> list[str]:
    return [f"{stem}.tflite", f"{stem}.frontend.json", f"{stem}.json"]


def _copy(folder: Path, network: Path, artifact: TFLiteArtifact, front_end: DeviceFrontEnd) -> None:
    with writing(network) as part:
        shutil.copyfile(folder / f"{FORM}.tflite", part)
    write_json(network.with_suffix(".frontend.json"), replace(front_end, model=network.name))
    write_json(network.with_suffix(".json"), replace(artifact, path=Path(network.name)))


def _claim(space: Workspace) -> dict[str, Any]:
    """The configuration of the baseline as it was claimed."""
    return space.variant(BASELINE).configuration()


def _compiled(variant: Variant, target: str) -> CompiledArtifact:
    return read_json(variant.folder / "compiled" / target / vela.RECORD_NAME, CompiledArtifact)


def _dev_folders(space: Workspace) -> tuple[list[Path], list[Path]]:
    """Speech and noise of dev."""
    return _folders(space, "dev_speech"), _folders(space, "dev_noise")


def _sources(space: Workspace) -> list[sources.Source]:
    """Where the training data came from, counted in the folders that the baseline was trained on."""
    found: list[sources.Source] = []
    for folder in _folders(space, "speech"):
        found += sources.speech(folder)
    for folder in _folders(space, "noise"):
        found += sources.noise(folder)
    return found


def _folders(space: Workspace, name: str) -> list[Path]:
    """Folders of the baseline's data. Raises UsageError if one is not there, or the data were no folders."""
    places = list(map(Path, each_of(_claim(space)["data"][name])))
    missing = [place for place in places if not place.is_dir()]
    if missing or not places:
        place = missing[0] if missing else None
        raise UsageError(
            f"--pretrained: there is no {place} ({name}): the card is made of what is in it"
        )
    return places
