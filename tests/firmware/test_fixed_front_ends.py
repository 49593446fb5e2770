"""The C of keywords and anomalies in fixed point: its vectors, and its features beside the float ones."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.shared.toys import keyword_network
from tests.support import sound_networks
from tests.support.compilers import needs_gcc, needs_qemu
from tests.support.sound_networks import anomaly_network, window_features
from tinyprune.errors import UsageError
from tinyprune.firmware.golden import made_up_speech
from tinyprune.npu import targets
from tinyprune.stages.firmware import Firmware, FirmwareOptions, firmware_of_file, measured

pytestmark = needs_gcc
U55 = targets.resolve("ethos-u55-128")
PARTS = ("net", "net_fft", "net_fixed", "net_spectrum", "net_tables")

#: Samples come in, the integers that go into the network and what is made of zeros come out.
HARNESS = """
#include "net.h"
#include "net_npu.h"
#include <stdint.h>
#include <stdio.h>
_Alignas(8) uint8_t net_arena[NET_ARENA_SIZE];
int net_npu_reset(void) { return 0; }
int net_npu_run(void)
{
    (void)fwrite(&net_arena[NET_INPUT_OFFSET], 1, FEATURES, stdout);
    for (int place = 0; place < OUTPUTS; place++) { net_arena[NET_OUTPUT_OFFSET + place] = 0; }
    return 0;
}
int main(void)
{
    static int16_t samples[NET_SAMPLES];
    static int32_t made[MADE];
    if (net_reset() != 0) { return 1; }
    while (fread(samples, sizeof(samples), 1, stdin) == 1)
    {
        if (net_process(samples, made) != 0) { return 1; }
        (void)fwrite(made, sizeof(made), 1, stdout);
    }
    return 0;
}
"""


@dataclass
class Network:
    """A network in fixed point.

    Attributes:
        firmware: its sources. path: its file. features: float ones (1, n) of int16 samples.
        samples, numbers, outputs, made: of a call, its input, its output, and what comes out of C.
    """

    firmware: Firmware
    path: Path
    features: Callable[[np.ndarray], np.ndarray]
    samples: int
    numbers: int
    outputs: int
    made: int


@pytest.fixture(scope="module")
def keywords(tmp_path_factory: pytest.TempPathFactory) -> Network:
    folder = tmp_path_factory.mktemp("keywords")
    path, front_end = keyword_network(folder)
    return Network(
        firmware=fixed(path),
        path=path,
        features=lambda clip: front_end.features(clip[None]).reshape(1, -1),
        samples=16_000,
        numbers=490,
        outputs=12,
        made=12,
    )


@pytest.fixture(scope="module")
def anomalies(tmp_path_factory: pytest.TempPathFactory) -> Network:
    path, front_end = anomaly_network(tmp_path_factory.mktemp("anomalies"))
    return Network(
        firmware=fixed(path),
        path=path,
        features=lambda window: window_features(front_end, window),
        samples=sound_networks.WINDOW,
        numbers=48,
        outputs=48,
        made=1,
    )


@pytest.fixture(params=["keywords", pytest.param("anomalies", marks=pytest.mark.slow)])
def network(request: pytest.FixtureRequest) -> Network:
    made: Network = request.getfixturevalue(request.param)
    return made


def fixed(path: Path) -> Firmware:
    options = FirmwareOptions(U55, path.parent / "fixed", name="net", is_fixed=True)
    return firmware_of_file(path, options)


def in_c(network: Network, sounds: np.ndarray, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return integers (n, features) and what comes out (n, made) of sounds, with sanitizers."""
    (folder / "harness.c").write_text(HARNESS)
    source = network.firmware.folder / "src"
    sizes = {"FEATURES": network.numbers, "OUTPUTS": network.outputs, "MADE": network.made}
    command = ["gcc", "-std=c11", "-O1", "-fsanitize=address,undefined"]
    command += ["-fno-sanitize-recover=all", f"-I{source}"]
    command += [f"-D{name}={size}" for name, size in sizes.items()]
    command += [str(source / f"{part}.c") for part in PARTS]
    program = str(folder / "harness")
    subprocess.run([*command, str(folder / "harness.c"), "-o", program], check=True)
    said = subprocess.run([program], input=sounds.tobytes(), capture_output=True)
    assert said.returncode == 0, said.stderr.decode()
    rows = np.frombuffer(said.stdout, np.uint8).reshape(len(sounds), -1)
    integers, made = np.split(rows, [network.numbers], axis=1)
    return integers.view(np.int8).astype(int), made.copy().view(np.int32)


def expected(network: Network, sounds: np.ndarray) -> np.ndarray:
    """Return the integers (n, features) of the floating front end."""
    record = record_of(network)
    features = np.concatenate([network.features(sound) for sound in sounds])
    integers = np.rint(features / record["input_scale"]) + record["input_zero_point"]
    return np.clip(integers, -128, 127).astype(int)


def record_of(network: Network) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(network.path.with_name("int8.frontend.json").read_text())
    return record


def test_record_says_the_arithmetic_and_no_float_is_in_the_front_end(network):
    record = network.firmware.record
    assert (record.kind, record.arithmetic) in (("keywords", "fixed"), ("anomaly", "fixed"))
    folder = network.firmware.folder / "src"
    for name in (*(f"{part}.c" for part in PARTS), "net.h"):
        text = (folder / name).read_text()
        assert not any(word in text for word in ("float", "double", "math.h>"))


def test_features_are_those_of_the_floating_front_end(network, tmp_path):
    """On speech, on the same 60 dB quieter, and on noise of one step: one number in 500 is a step off."""
    speech = made_up_speech(3 * network.samples, 16_000).reshape(3, -1)
    quiet = np.rint(speech / 1000).astype(np.int16)
    noise = np.random.default_rng(0).integers(-1, 2, (1, network.samples)).astype(np.int16)
    sounds = np.concatenate([speech, quiet, noise])
    made, _ = in_c(network, sounds, tmp_path)
    steps = np.abs(made - expected(network, sounds))
    assert steps.max() <= 1
    assert np.count_nonzero(steps) <= steps.size / 500
    assert len(np.unique(made)) > 20


def extreme_sounds(samples: int) -> np.ndarray:
    """Return silence, the least number, full scale at half the rate, a square wave, a click, noise."""
    places = np.arange(samples)
    sounds = [
        np.zeros(samples),
        np.full(samples, -32768),
        np.where(places % 2, 32767, -32768),
        np.where(places % 600 < 300, 32767, -32768),
        np.where(places == 200, -32768, 0),
        np.random.default_rng(1).integers(-32768, 32768, samples),
    ]
    return np.stack(sounds).astype(np.int16)


def test_no_sound_overflows(network, tmp_path):
    """Windows of a constant are zero but for a few bins, where float32 has its rounding errors."""
    sounds = extreme_sounds(network.samples)
    made, _ = in_c(network, sounds, tmp_path)
    steps = np.abs(made - expected(network, sounds)).max(axis=1)
    assert steps[[0, 3, 4, 5]].max() <= 1, steps


def test_the_error_is_that_of_the_features(anomalies, tmp_path):
    """What is given back is 0 in every number: the error is the mean square of f + scale * zero."""
    sounds = made_up_speech(5 * anomalies.samples, 16_000).reshape(5, -1)
    _, made = in_c(anomalies, sounds, tmp_path)
    record = record_of(anomalies)
    given_back = (0 - record["output_zero_point"]) * record["output_scale"]
    for sound, error in zip(sounds, made, strict=True):
        mean_square = np.mean(np.square(anomalies.features(sound).astype(float) - given_back))
        assert error[0] / 2**16 == pytest.approx(mean_square, rel=1e-4)


def test_scores_have_16_bits_behind_the_point(keywords, tmp_path):
    """Of a softmax, 0 is 128 steps of 1/256 above its zero point."""
    _, made = in_c(keywords, made_up_speech(16_000, 16_000)[None], tmp_path)
    assert (made == 2**15).all()


@pytest.mark.slow
def test_sources_pass_with_sanitizers_and_a_change_is_found(network, tmp_path):
    folder = Path(shutil.copytree(network.firmware.folder, tmp_path / "copy"))
    done = subprocess.run(["make", "-C", folder, "test"], capture_output=True, text=True)
    assert "0 of " in done.stdout and "passed" in done.stdout, done.stdout + done.stderr
    text = (folder / "src/net_tables.h").read_text()
    factor = next(line for line in text.splitlines() if "NET_LOG_MEL_UNIT" in line)
    (folder / "src/net_tables.h").write_text(text.replace(factor, factor.replace("(-", "(-1")))
    done = subprocess.run(["make", "-C", folder, "test"], capture_output=True, text=True)
    assert "FAILED" in done.stdout


@needs_qemu
@pytest.mark.slow
def test_sources_pass_on_a_cortex_m55_in_qemu(network, tmp_path):
    folder = Path(shutil.copytree(network.firmware.folder, tmp_path / "copy"))
    made = measured(replace(network.firmware, folder=folder))
    assert made.notes == ()
    assert 100 < made.record.sizes.stack < 2000
    assert made.record.sizes.library_flash < 500  # no logf, no sqrtf


def test_numbers_that_do_not_fit_are_one_line(keywords, tmp_path):
    record = record_of(keywords)
    changed = tmp_path / "changed.json"
    for field, value in (("log_offset", 1e6), ("mean", [5e3] * 10), ("std", [1e-9] * 10)):
        changed.write_text(json.dumps(record | {field: value}))
        options = FirmwareOptions(U55, tmp_path / "out", frontend=changed, is_fixed=True)
        with pytest.raises(UsageError, match=f"do not fit into 32 bits: {field}; give --arith"):
            firmware_of_file(keywords.path, options)
