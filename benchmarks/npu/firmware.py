"""Generated C of the shipped denoiser beside `enhance`, both on the simulated NPU; its sizes."""

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.shared.firmware_in_c import FirmwareInC
from benchmarks.shared.report import Case, Check, Report, Unavailable
from benchmarks.shared.sizes import SIZES
from benchmarks.shared.speech_data import data, describe
from tinyprune import pretrained
from tinyprune.enhance.denoiser import Denoiser
from tinyprune.firmware.golden import made_up_speech, to_int16
from tinyprune.metrics.speech import si_sdr_db
from tinyprune.npu import targets, vela
from tinyprune.npu.stream.network import CompiledNetwork
from tinyprune.registry import DATASETS
from tinyprune.stages.firmware import Firmware, FirmwareOptions, firmware_of_file, measured
from tinyprune.tflite.interpreter import Int8Model

NAME = "denoiser"
HOP = 256
LARGEST_LOSS_DB = 0.05


class _Enhanced:
    """What `enhance --engine stream` computes, with the integers that go into its network."""

    def __init__(self, stream: CompiledNetwork) -> None:
        self.name = stream.name
        self.features = np.zeros(0, np.int8)
        self.reset = stream.reset
        self._stream = stream
        path = pretrained.denoiser()
        denoiser = Denoiser(path)
        denoiser._networks = [Int8Model(path, engine=self)]
        [self._channel] = denoiser.channels(1)

    def invoke(self, inputs):
        """Run the stream."""
        self.features = inputs[0].reshape(-1).copy()
        return self._stream.invoke(inputs)

    def hop(self, samples: np.ndarray) -> np.ndarray:
        """Return the enhanced hop of int16 samples."""
        return to_int16(self._channel.enhance(samples.astype(np.float32) / 32768))


def measure(options: argparse.Namespace) -> Report:
    """Run both on made-up speech, each with its own state, and fixed point on mixtures of dev."""
    if shutil.which("gcc") is None:
        raise Unavailable("gcc is not installed: apt-get install gcc libc6-dev")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        target = targets.resolve("ethos-u55-128")
        path = pretrained.denoiser()
        made = measured(firmware_of_file(path, FirmwareOptions(target, folder / NAME)))
        stream = CompiledNetwork(vela.compile_tflite(path, target, folder / "vela").path)
        in_c = FirmwareInC(made.folder, NAME)
        cases = [*_differences(in_c, _Enhanced(stream)), *_sizes(made)]
        fixed = FirmwareOptions(target, folder / "fixed", is_fixed=True)
        made_fixed = measured(firmware_of_file(path, fixed))
        config = data(options)
        mixtures = _mixtures(config, options)
        in_c.before_run = None
        fixed_cases, loss = _beside(in_c, FirmwareInC(made_fixed.folder, NAME), mixtures)
        cases += [*fixed_cases, *_sizes(made_fixed, "fixed point: ")]
        return Report(
            cases,
            [Check("SI-SDR, float less fixed", loss, "dB", LARGEST_LOSS_DB)],
            [
                "all with the simulated ethos-u55-128, Shared_Sram",
                describe(config),
                f"fixed point: {len(mixtures)} mixtures of dev, each with a state of its own",
                *made.notes,
            ],
        )


def _mixtures(config: Any, options: argparse.Namespace) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the first clean and noisy utterances of dev."""
    utterances = DATASETS[config.name](config, options.work / "firmware").utterances("dev")
    chosen = utterances[: SIZES.firmware_mixtures]
    return [(utterance.clean, utterance.noisy) for utterance in chosen]


def _beside(
    floating: FirmwareInC, fixed: FirmwareInC, mixtures: list[tuple[np.ndarray, np.ndarray]]
) -> tuple[list[Case], float]:
    """Return the SI-SDR of both and the largest difference of a sample, then the loss of the mean."""
    scores: dict[str, list[float]] = {"float": [], "fixed": []}
    largest = 0.0
    for clean, noisy in mixtures:
        made = {"float": _enhanced(floating, noisy), "fixed": _enhanced(fixed, noisy)}
        reference = clean[: len(made["float"]) - HOP]
        for name, samples in made.items():
            scores[name].append(si_sdr_db(reference, samples[HOP:].astype(np.float32)))
        apart = made["float"].astype(float) - made["fixed"]
        largest = max(largest, float(np.abs(apart).max()))
    cases = [Case(f"dev SI-SDR, {name}", "dB", values) for name, values in scores.items()]
    cases.append(Case("largest difference, float and fixed", "steps of 16 bit", [largest]))
    return cases, float(np.mean(scores["float"]) - np.mean(scores["fixed"]))


def _enhanced(firmware: FirmwareInC, noisy: np.ndarray) -> np.ndarray:
    """Return whole hops of int16, a hop later than they went in."""
    count = len(noisy) // HOP
    hops = to_int16(noisy[: count * HOP]).reshape(count, HOP)
    made = np.zeros_like(hops)
    firmware.reset()
    for given, out in zip(hops, made, strict=True):
        firmware.process([given], [out])
    return made.reshape(-1)


def _differences(firmware: FirmwareInC, enhanced: _Enhanced) -> list[Case]:
    """Return how far the samples of both are apart, and how many features are a step off."""
    hops = round(SIZES.firmware_seconds * 16_000 / 256)
    samples = made_up_speech(hops * 256, 16_000).reshape(hops, 256)
    place = _input_offset(firmware.folder)
    features_off = 0

    def count(arena: np.ndarray) -> None:
        nonlocal features_off
        own = arena.view(np.int8)[place : place + 128]
        features_off += int(np.count_nonzero(own != enhanced.features))

    firmware.before_run = count
    firmware.reset()
    out = np.zeros_like(samples)
    expected = np.zeros_like(samples)
    for given, own, other in zip(samples, out, expected, strict=True):
        other[:] = enhanced.hop(given)
        firmware.process([given], [own])
    error = out.astype(float) - expected
    signal = float(np.square(expected, dtype=float).sum())
    ratio_db = 10 * np.log10(signal / max(float(np.square(error).sum()), 1.0))
    return [
        Case("features", "", [float(hops * 128)]),
        Case("features that are a step off", "", [float(features_off)]),
        Case("largest difference of a sample", "steps of 16 bit", [float(np.abs(error).max())]),
        Case("enhance over the difference", "dB", [float(ratio_db)]),
    ]


def _input_offset(folder: Path) -> int:
    """Return where the features lie in the arena."""
    for line in (folder / "src" / f"{NAME}_npu.h").read_text().splitlines():
        if "_INPUT_OFFSET" in line:
            return int(line.split()[2].rstrip("u"))
    raise ValueError("no offset of the input")


def _sizes(made: Firmware, prefix: str = "") -> list[Case]:
    sizes = made.record.sizes
    if sizes is None:
        return []
    return [
        Case(f"{prefix}flash of everything", "bytes", [float(sizes.flash)]),
        Case(f"{prefix}RAM of everything", "bytes", [float(sizes.ram)]),
        Case(f"{prefix}stack of a call", "bytes", [float(sizes.stack or 0)]),
    ]
