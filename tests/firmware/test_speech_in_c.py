"""The C of a denoiser, with the simulator as its NPU, against the denoiser of this program."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from benchmarks.shared.firmware_in_c import FirmwareInC
from tests.support.compilers import needs_gcc
from tinyprune import pretrained
from tinyprune.enhance.denoiser import Denoiser
from tinyprune.firmware.golden import made_up_speech, to_int16
from tinyprune.npu import targets, vela
from tinyprune.npu.stream.network import CompiledNetwork
from tinyprune.tflite.interpreter import Int8Model

pytestmark = needs_gcc
U55 = targets.resolve("ethos-u55-128")


@dataclass
class Findings:
    """Differences: of samples in steps of 16 bits, of features in steps of 8."""

    largest: int = 0
    samples: int = 0
    samples_off: int = 0
    features_off: int = 0
    most_of_feature: int = 0


class Enhanced:
    """What `tinyprune enhance` computes, with the simulated stream in place of the interpreter."""

    def __init__(self, folder: Path) -> None:
        path = pretrained.denoiser()
        stream = CompiledNetwork(vela.compile_tflite(path, U55, folder).path)
        self.name, self.reset, self._stream = "stream", stream.reset, stream
        self.features = np.zeros(128, np.int8)
        self.denoiser = Denoiser(path)
        self.denoiser._networks = [Int8Model(path, engine=self)]
        self.start()

    def start(self) -> None:
        [self._channel] = self.denoiser.channels(1)

    def hop(self, samples: np.ndarray) -> np.ndarray:
        return to_int16(self._channel.enhance(samples.astype(np.float32) / 32768))

    def invoke(self, inputs):
        self.features = inputs[0].reshape(-1).copy()
        return self._stream.invoke(inputs)


def compared(sources: Path, folder: Path, hops: int) -> Findings:
    """Run both side by side, with a reset in the middle.

    A feature on the border between two integers may fall to either side, and a recurrent network
    carries that on. So the NPU of the C is given the features of the other, and their differences
    are counted.
    """
    firmware = FirmwareInC(Path(shutil.copytree(sources, folder / "copy")), "denoiser")
    enhanced = Enhanced(folder / "vela")
    found = Findings()

    header = (sources / "src/denoiser_npu.h").read_text()
    place = int(re.search(r"INPUT_OFFSET (\d+)u", header)[1])

    def take_features(arena: np.ndarray) -> None:
        own = arena.view(np.int8)[place : place + 128]
        steps = np.abs(own.astype(int) - enhanced.features)
        found.features_off += int(np.count_nonzero(steps))
        found.most_of_feature = max(found.most_of_feature, int(steps.max()))
        own[:] = enhanced.features

    firmware.before_run = take_features
    samples = made_up_speech(hops * 256, 16_000).reshape(hops, 256)
    out = np.zeros(256, np.int16)
    for number, given in enumerate(samples):
        if number in (0, hops // 2):
            assert firmware.reset() == 0
            enhanced.start()
        expected = enhanced.hop(given)
        assert firmware.process([given], [out]) == 0
        off = np.abs(out.astype(int) - expected)
        found.largest = max(found.largest, int(off.max()))
        found.samples_off += int(np.count_nonzero(off))
        found.samples += len(off)
    assert firmware.calls == hops
    return found


def test_a_second_with_a_reset_is_that_of_enhance(denoiser_firmware, tmp_path):
    found = compared(denoiser_firmware.folder, tmp_path, hops=62)
    assert (found.features_off, found.samples) == (0, 62 * 256)
    assert found.largest <= 1
    assert found.samples_off <= found.samples / 1000


@pytest.mark.slow
def test_twenty_seconds_with_a_reset_are_those_of_enhance(denoiser_firmware, tmp_path):
    found = compared(denoiser_firmware.folder, tmp_path, hops=1250)
    assert found.samples == 20 * 16_000
    assert found.largest <= 1
    assert found.most_of_feature <= 1
    assert found.features_off <= 1250 * 128 / 50_000  # of 160,000 features


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 3, 7])
def test_a_reset_makes_the_same_again(denoiser_firmware, tmp_path, count):
    firmware = FirmwareInC(
        Path(shutil.copytree(denoiser_firmware.folder, tmp_path / "copy")), "denoiser"
    )
    hops = made_up_speech(count * 256, 16_000).reshape(count, 256)
    runs = []
    for _ in range(2):
        firmware.reset()
        made = np.zeros_like(hops)
        for given, out in zip(hops, made, strict=True):
            firmware.process([given], [out])
        runs.append(made)
    assert (runs[0] == runs[1]).all()
