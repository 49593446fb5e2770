"""The facts of a model card, from the records of a run or of the network in the package."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tinyprune import pretrained
from tinyprune.artifacts.card import CardFacts
from tinyprune.artifacts.network import TFLiteArtifact
from tinyprune.artifacts.quality import Quality
from tinyprune.artifacts.resources import CompiledArtifact, ResourceReport
from tinyprune.audio.device import DeviceFrontEnd
from tinyprune.config import RunConfig, to_mapping
from tinyprune.config.pruning import MagnitudePruning
from tinyprune.errors import UsageError, check_name
from tinyprune.npu import vela
from tinyprune.report.model.collection import collect_report
from tinyprune.report.model.record import RunReport, VariantRecord
from tinyprune.storage.environment import versions
from tinyprune.storage.recorded import BASELINE
from tinyprune.storage.records import read_json
from tinyprune.storage.run_folder import Workspace

_SYNTHETIC = (
    "It has learned synthetic speech: for recordings train it on your own, or take the denoiser "
    "that comes with tinyprune."
)
_CHOSEN_ON_DEV = (
    "Its best epoch was chosen on the dev split, which it looks better on than it is: score other "
    "recordings before you rely on the figures."
)
_SPEECH = (
    "It scales magnitudes and keeps the noisy phase, and can remove quiet speech: not for safety, "
    "not for evidence."
)

_PAGE = (
    "Talkers in the background stay. `docs/pretrained.md` of tinyprune has what it does to which "
    "speech and noise, and the licence of everything that it learned from."
)


def variant_facts(run: Path, name: str | None) -> CardFacts:
    """Return the facts of an exported variant of a run; None: the newest one.

    Raises UsageError where it is not there, or not exported, TinypruneError where a file of it has
    changed.
    """
    space = Workspace(run)
    report = collect_report(space)
    record = _record(report, name)
    space.variant(record.name).verify_all()
    assert record.tflite is not None
    assert report.task is not None
    claims = {variant.name: variant.configuration for variant in report.variants}
    data = str(claims[BASELINE]["data"]["name"])
    return CardFacts(
        name=record.name,
        task=report.task.name,
        data=data,
        tflite=record.tflite,
        qualities=record.qualities,
        costs=_costs(report, record.name),
        settings=dict(_settings(claims[BASELINE], claims[record.name])),
        hop_seconds=report.task.hop_seconds,
        classes=report.task.classes,
        limits=tuple(_limits(report.task.name, data)),
        versions=report.versions,
        command=_command(report.task.name, record.tflite.path.name),
    )


def pretrained_facts() -> CardFacts:
    """Return the facts of the network in the package, with costs where it was compiled here."""
    costs = {}
    for path in sorted(pretrained.COMPILED.glob(f"*/{vela.RECORD_NAME}")):
        costs[path.parent.name] = read_json(path, CompiledArtifact).report
    tflite = read_json(pretrained.record(), TFLiteArtifact)
    front_end = read_json(pretrained.denoiser().with_suffix(".frontend.json"), DeviceFrontEnd)
    return CardFacts(
        name="tinyprune-denoiser",
        task="speech",
        data="mixture",
        tflite=tflite,
        qualities=tuple(read_json(pretrained.qualities(), list[Quality])),
        costs=costs,
        hop_seconds=front_end.hop / front_end.sample_rate,
        limits=(_SPEECH, _PAGE),
        versions={"tinyprune": versions()["tinyprune"]},
        command=_command("speech", tflite.path.name),
    )


def _record(report: RunReport, name: str | None) -> VariantRecord:
    """Return the record of an exported variant. Raises UsageError."""
    exported = {record.name: record for record in report.variants if record.tflite}
    if not exported:
        raise UsageError("no variant is exported: run `tinyprune export`, or `tinyprune prune`")
    if name is None:
        return list(exported.values())[-1]
    check_name("exported variant", name, exported)
    return exported[name]


def _costs(report: RunReport, name: str) -> dict[str, ResourceReport]:
    """Return target -> costs of a variant, of the targets that it was compiled for."""
    costs = {}
    for summary in report.summaries:
        for variant in summary.variants:
            if variant.name == name:
                costs[summary.target.name] = variant.report
    return costs


def _settings(
    baseline: Mapping[str, Any], own: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the tables of a configuration with what is not the default; of paths, their names."""
    defaults = to_mapping(RunConfig())
    for table in ("model", "train", "data"):
        yield table, _given(baseline[table], defaults[table])
    if "prune" in own:
        yield "prune", _given(own["prune"], MagnitudePruning().record())


def _given(settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    given = {}
    for name, value in settings.items():
        if value not in (None, [], {}, defaults.get(name)):
            given[name] = _without_folders(value)
    return given


def _without_folders(value: Any) -> Any:
    """Return a value without the folders of this machine, of a list its parts with commas."""
    if isinstance(value, str) and "/" in value:
        return Path(value).name
    if isinstance(value, list):
        return ", ".join(str(_without_folders(part)) for part in value)
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:g}"
    return value


def _limits(task: str, data: str) -> Iterator[str]:
    if data == "synthetic-speech":
        yield _SYNTHETIC
    if task == "speech":
        yield _SPEECH
    yield _CHOSEN_ON_DEV


def _command(task: str, graph: str) -> str:
    if task == "speech":
        return f"tinyprune enhance noisy.wav clean.wav --model {graph}"
    return f"tinyprune compile {graph} --npu ethos-u55-128"
