"""The C of a denoiser in fixed point: its numbers, extreme sounds, and beside the floating point."""

import ctypes
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.shared.firmware_in_c import FirmwareInC
from tests.firmware.test_speech_in_c import compared
from tests.support.compilers import needs_gcc, needs_qemu
from tests.support.stream_networks import registered
from tinyprune import pretrained
from tinyprune.audio.device import DeviceFrontEnd
from tinyprune.errors import UsageError
from tinyprune.firmware.speech_fixed import FixedSpeechFirmware
from tinyprune.npu import targets
from tinyprune.stages.firmware import Firmware, FirmwareOptions, firmware_of_file, measured
from tinyprune.storage.records import read_json

pytestmark = needs_gcc
U55 = targets.resolve("ethos-u55-128")
PARTS = (
    "denoiser",
    "denoiser_fft",
    "denoiser_fixed",
    "denoiser_spectrum",
    "denoiser_tables",
)


@pytest.fixture(scope="module")
def fixed(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    folder = tmp_path_factory.mktemp("fixed") / "denoiser"
    return firmware_of_file(pretrained.denoiser(), FirmwareOptions(U55, folder, is_fixed=True))


@pytest.fixture(scope="module")
def library(fixed, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("library") / "copy"
    made = FirmwareInC(Path(shutil.copytree(fixed.folder, folder)), "denoiser").library
    made.denoiser_scaled_down.argtypes = [ctypes.c_int64, ctypes.c_int]
    made.denoiser_scaled_down.restype = ctypes.c_int64
    made.denoiser_root.argtypes = [ctypes.c_uint64]
    made.denoiser_root.restype = ctypes.c_uint32
    made.denoiser_log2.argtypes = [ctypes.c_uint64]
    made.denoiser_exp2.argtypes = [ctypes.c_int64]
    return made


def test_record_says_the_arithmetic_and_no_float_is_in_the_front_end(fixed):
    assert (fixed.record.kind, fixed.record.arithmetic) == ("speech", "fixed")
    for name in PARTS:
        text = (fixed.folder / f"src/{name}.c").read_text()
        assert not any(word in text for word in ("float", "double", "math.h>"))


def test_shifts_round_and_roots_are_whole(library):
    assert [library.denoiser_scaled_down(value, 2) for value in (5, 6, 7, -6, -7)] == [
        1,
        2,
        2,
        -1,
        -2,
    ]
    assert library.denoiser_scaled_down(-(2**63), 62) == -2
    assert library.denoiser_scaled_down(2**62, 63) == 0
    for value in (0, 1, 3, 4, 2**31, 2**62 - 1, 2**62, 2**63 - 1):
        root = library.denoiser_root(value)
        assert root**2 <= value < (root + 1) ** 2


def test_logarithms_and_powers_are_those_of_numpy(library):
    rng = np.random.default_rng(0)
    for value in (1, 2, 3, 2**63, 2**64 - 1, *map(int, 2 ** rng.uniform(0, 63, 500))):
        assert abs(library.denoiser_log2(value) / 2**24 - np.log2(value)) < 4e-6
    for exponent in rng.uniform(-30, 6.9, 500):
        found = library.denoiser_exp2(round(exponent * 2**24)) / 2**24
        assert abs(found - 2**exponent) <= 1e-6 * 2**exponent + 2**-24
    assert library.denoiser_exp2(7 << 24) == 2**31 - 1
    assert library.denoiser_exp2(-(2**40)) == 0


def test_the_transform_is_that_of_numpy_and_comes_back(library):
    rng = np.random.default_rng(1)
    for largest in (2**30 - 1, 2**29, 1000):
        values = rng.integers(-largest, largest, 512, dtype=np.int32)
        given = values.copy()
        library.denoiser_fft(ctypes.c_void_p(values.ctypes.data))
        spectrum = np.fft.rfft(given) / 512
        found = values[2::2] + 1j * values[3::2]
        assert np.abs(found - spectrum[1:-1]).max() < 4
        assert np.abs(values[:2] - [spectrum[0].real, spectrum[-1].real]).max() < 4
        library.denoiser_inverse_fft(ctypes.c_void_p(values.ctypes.data))
        assert np.abs(values * 1024.0 - given).max() < 4 * 1024


def test_a_second_with_a_reset_is_that_of_enhance(fixed, tmp_path):
    """Both compute from the same features, and C's own are counted."""
    found = compared(fixed.folder, tmp_path, hops=62)
    assert found.most_of_feature <= 1
    assert found.features_off <= 62 * 128 / 1000
    assert found.largest <= 1
    assert found.samples_off <= found.samples / 100


HARNESS = """
#include "denoiser.h"
#include "denoiser_npu.h"
#include <stdint.h>
#include <stdio.h>
uint8_t denoiser_arena[DENOISER_ARENA_SIZE];
int denoiser_npu_reset(void) { return 0; }
int denoiser_npu_run(void) { return 0; }
static int16_t sample(int sound, int number)
{
    static uint32_t noise = 1u;
    noise = noise * 1664525u + 1013904223u;
    switch (sound)
    {
    case 0: return 0;
    case 1: return INT16_MIN;
    case 2: return (number % 2 != 0) ? INT16_MAX : INT16_MIN;
    case 3: return (number % 600 < 300) ? INT16_MAX : INT16_MIN;
    case 4: return (int16_t)((number == 700) ? INT16_MIN : 0);
    case 5: return (int16_t)(noise >> 16);
    default: return (int16_t)((noise >> 16) % 3u);
    }
}
int main(void)
{
    for (int sound = 0; sound < 7; sound++)
    {
        int16_t hop[DENOISER_HOP];
        long loudest = 0;
        (void)denoiser_reset();
        for (int number = 0; number < 60 * DENOISER_HOP; number += DENOISER_HOP)
        {
            for (int place = 0; place < DENOISER_HOP; place++) { hop[place] = sample(sound, number + place); }
            for (int band = 0; band < 128; band++)
            {
                denoiser_arena[DENOISER_OUTPUT_OFFSET + (uint32_t)band] = (uint8_t)(127 - (number + band) % 2 * 20);
            }
            if (denoiser_process(hop, hop) != 0) { return 1; }
            for (int place = 0; place < DENOISER_HOP; place++)
            {
                const long size = (hop[place] < 0) ? -(long)hop[place] : hop[place];
                loudest = (size > loudest) ? size : loudest;
            }
        }
        (void)printf("%d %ld\\n", sound, loudest);
    }
    return 0;
}
"""


@pytest.mark.slow
def test_no_sound_overflows(fixed, tmp_path):
    """Silence, full scale as a constant, at half the rate, as a square wave, a click, noise, a little."""
    (tmp_path / "harness.c").write_text(HARNESS)
    sources = [str(fixed.folder / f"src/{part}.c") for part in PARTS]
    flags = ["-std=c11", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    program = tmp_path / "harness"
    command = ["gcc", *flags, f"-I{fixed.folder / 'src'}", *sources, str(tmp_path / "harness.c")]
    subprocess.run([*command, "-o", str(program)], check=True)
    said = subprocess.run([program], capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    loudest = [int(line.split()[1]) for line in said.stdout.splitlines()]
    assert loudest[0] == loudest[1] == 0  # the constant is taken off from the first sample on
    assert min(loudest[2:6]) > 15_000
    assert 1 <= loudest[6] <= 4


@needs_qemu
@pytest.mark.slow
def test_sources_pass_on_a_cortex_m55_in_qemu(fixed, tmp_path):
    made = measured(replace(fixed, folder=Path(shutil.copytree(fixed.folder, tmp_path / "copy"))))
    assert made.notes == ()
    assert 100 < made.record.sizes.stack < 2000
    assert made.record.sizes.library_flash < 500  # no powf, no sqrtf
    done = subprocess.run(["make", "-C", made.folder, "test"], capture_output=True, text=True)
    assert "64 calls: 0 of 8192 integers into the network a step off" in done.stdout


def test_other_networks_and_numbers_that_do_not_fit_are_one_line(fixed, tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(registered("crn"))
    with pytest.raises(UsageError, match="--arithmetic fixed is for the front ends of speech, key"):
        firmware_of_file(path, FirmwareOptions(U55, tmp_path / "out", is_fixed=True))
    record = read_json(pretrained.denoiser().with_name("denoiser.frontend.json"), DeviceFrontEnd)
    windows = replace(record, synthesis_window=(2.5,) * 512)
    front_end = FixedSpeechFirmware(windows, _model(tmp_path))
    with pytest.raises(UsageError, match="do not fit into 32 bits: synthesis_window; give --arith"):
        front_end.tables()


def _model(folder: Path):
    from tinyprune.firmware.device_model import device_model
    from tinyprune.npu import vela
    from tinyprune.npu.stream.network import CompiledNetwork

    compiled = vela.compile_tflite(pretrained.denoiser(), U55, folder / "vela")
    return device_model(pretrained.denoiser(), CompiledNetwork(compiled.path))
