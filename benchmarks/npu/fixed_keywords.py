"""Fixed-point features of keywords in C beside the floating ones, on real clips (by name: takes a finished run)."""

import argparse
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.shared import toys
from benchmarks.shared.environment import relative
from benchmarks.shared.firmware_in_c import FirmwareInC
from benchmarks.shared.report import Case, Check, Report, Unavailable
from tinyprune.audio.device_mfcc import DeviceMfcc
from tinyprune.firmware.golden import made_up_speech
from tinyprune.npu import targets
from tinyprune.stages.export import device_graph
from tinyprune.stages.firmware import FirmwareOptions, firmware_of_file, measured
from tinyprune.stages.run import open_run
from tinyprune.storage.records import read_json

NAME = "keywords"
DEV = "dev"
FLOAT, FIXED = "float", "fixed point"
#: Share of the features that may be a step off.
MOST_OFF = 0.01


@dataclass(frozen=True, eq=False)
class _Material:
    """What is measured. Attributes: path: of the network; clips, classes: int16 (n, samples), (n,)."""

    path: Path
    clips: np.ndarray
    classes: np.ndarray
    where: str


@dataclass(frozen=True, eq=False)
class _Answers:
    """What C makes of clips. Attributes: features: int8 (n, features); classes: (n,)."""

    features: np.ndarray
    classes: np.ndarray


def measure(options: argparse.Namespace) -> Report:
    """Run all clips through both front ends, with the simulated NPU behind them."""
    if shutil.which("gcc") is None:
        raise Unavailable("gcc is not installed: apt-get install gcc libc6-dev")
    material = _toy(options) if options.smoke else _material(options)
    answers = {}
    cases = []
    notes = [material.where, f"{len(material.clips)} clips, with the simulated ethos-u55-128"]
    with tempfile.TemporaryDirectory() as name:
        for arithmetic in (FLOAT, FIXED):
            firmware = FirmwareOptions(
                targets.resolve("ethos-u55-128"),
                Path(name) / arithmetic.replace(" ", "-"),
                name=NAME,
                is_fixed=arithmetic == FIXED,
            )
            made = measured(firmware_of_file(material.path, firmware))
            notes += made.notes
            answers[arithmetic] = _answers(made.folder, material)
            right = float(np.mean(answers[arithmetic].classes == material.classes))
            cases.append(Case(f"accuracy on dev, {arithmetic}", "", [right]))
            sizes = made.record.sizes
            if sizes is not None:
                cases.append(Case(f"flash of everything, {arithmetic}", "bytes", [sizes.flash]))
                cases.append(Case(f"RAM of everything, {arithmetic}", "bytes", [sizes.ram]))
                cases.append(Case(f"stack of a call, {arithmetic}", "bytes", [sizes.stack or 0]))
    apart, checks = _differences(answers[FLOAT], answers[FIXED])
    return Report([*apart, *cases], checks, notes)


def _material(options: argparse.Namespace) -> _Material:
    """Return the network of ``--baseline`` and the clips of its dev data."""
    run = options.baseline
    if not run or not (run / "variants" / "baseline" / "train.json").exists():
        raise Unavailable("give a finished run on keywords: --baseline runs/keywords")
    with open_run(run) as opened:
        examples = opened.task.dataset.split(DEV)
        folder = opened.baseline.folder
        path = folder / device_graph(opened, opened.baseline).path
    if not path.with_name(f"{path.stem}.frontend.json").exists():
        raise Unavailable(f"{relative(run)} has no front end of keywords")
    return _Material(path, np.asarray(examples.inputs), examples.labels, f"run: {relative(run)}")


def _toy(options: argparse.Namespace) -> _Material:
    """Return an untrained network and two clips that are made up."""
    folder = options.work / "toy-keywords"
    folder.mkdir(parents=True, exist_ok=True)
    path, _ = toys.keyword_network(folder)
    clips = made_up_speech(2 * 16_000, 16_000).reshape(2, -1)
    return _Material(path, clips, np.zeros(2, int), "SYNTHETIC: an untrained network")


def _answers(folder: Path, material: _Material) -> _Answers:
    """Return what the sources in a folder make of all clips."""
    record = read_json(material.path.with_name(f"{material.path.stem}.frontend.json"), DeviceMfcc)
    firmware = FirmwareInC(folder, NAME)
    features: list[np.ndarray] = []
    firmware.before_run = _keeping(features, folder, record.frames * record.coefficients)
    header = (folder / f"src/{NAME}.h").read_text()
    kind = np.int32 if "int32_t scores" in header else np.float32
    scores = np.zeros(_number("SCORES", header), kind)
    classes = []
    firmware.reset()
    for clip in material.clips:
        assert firmware.process([np.ascontiguousarray(clip, np.int16)], [scores]) == 0
        classes.append(int(scores.argmax()))
    return _Answers(np.stack(features), np.asarray(classes))


def _keeping(features: list[np.ndarray], folder: Path, count: int) -> Callable[[np.ndarray], None]:
    """Return what keeps the features of each call."""
    place = _number("INPUT_OFFSET", (folder / f"src/{NAME}_npu.h").read_text())

    def keep(arena: np.ndarray) -> None:
        features.append(arena.view(np.int8)[place : place + count].astype(int))

    return keep


def _number(constant: str, header: str) -> int:
    found = re.search(rf"_{constant} (\d+)", header)
    assert found is not None
    return int(found[1])


def _differences(one: _Answers, other: _Answers) -> tuple[Sequence[Case], Sequence[Check]]:
    """Return how far the answers are apart."""
    steps = np.abs(one.features - other.features)
    off = float(np.mean(steps > 0))
    agreement = float(np.mean(one.classes == other.classes))
    cases = [
        Case("features", "", [float(steps.size)]),
        Case("features that are off", "", [float(np.count_nonzero(steps))]),
        Case("largest difference of a feature", "steps of 8 bit", [float(steps.max())]),
        Case("clips of the same class", "", [agreement]),
    ]
    return cases, [
        Check("share of the features that are off", off, "", MOST_OFF),
        Check("largest difference of a feature", float(steps.max()), "steps of 8 bit", 1.0),
    ]
