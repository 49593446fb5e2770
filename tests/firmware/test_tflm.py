"""Sources for TFLM: its operators, its arena, and the same front end and vectors."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.firmware.test_host_test import make_test
from tests.support.compilers import needs_gcc, needs_gxx
from tests.support.stream_networks import registered
from tests.support.tflm_headers import write_headers
from tinyprune import extras, pretrained
from tinyprune.errors import TinypruneError
from tinyprune.firmware.sources import TFLM
from tinyprune.firmware.tflm import resolver_method
from tinyprune.npu import targets, vela
from tinyprune.stages.firmware import FirmwareOptions, firmware_of_file
from tinyprune.tflite import tflm_arena
from tinyprune.tflite.engines import has_tflm

U55 = targets.resolve("ethos-u55-128")
needs_tflm = pytest.mark.skipif(not has_tflm(), reason="TFLM is not installed")


@pytest.mark.parametrize(
    ("operator", "method"),
    [
        ("CONV_2D", "Conv2D"),
        ("DEPTHWISE_CONV_2D", "DepthwiseConv2D"),
        ("MAX_POOL_2D", "MaxPool2D"),
        ("FULLY_CONNECTED", "FullyConnected"),
        ("SOFTMAX", "Softmax"),
        ("RELU6", "Relu6"),
        ("SPACE_TO_BATCH_ND", "SpaceToBatchNd"),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", "UnidirectionalSequenceLSTM"),
        ("BATCH_MATMUL", "BatchMatMul"),
    ],
)
def test_operators_are_called_as_in_the_resolver(operator, method):
    assert resolver_method(operator) == method


@needs_tflm
def test_the_arena_holds_what_the_npu_works_on(tmp_path):
    compiled = vela.compile_tflite(pretrained.denoiser(), U55, tmp_path)
    count = tflm_arena.arena_bytes(compiled.path.read_bytes())
    assert count % 16 == 0
    own = compiled.report.sram_bytes
    assert own + 500 < count < own + 3000  # tensors, one node, what the kernel asks for


def test_without_tflm_the_package_is_named(monkeypatch):
    monkeypatch.setattr(extras, "is_installed", lambda package: False)
    with pytest.raises(TinypruneError, match=re.escape('pip install "tinyprune[device]"')):
        tflm_arena.arena_bytes(b"")


def generated(path: Path, folder: Path) -> Path:
    return firmware_of_file(path, FirmwareOptions(U55, folder, runtime=TFLM, name="net")).folder


@needs_tflm
@needs_gcc
@needs_gxx
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["denoiser", "crn", "operators of the CPU"])
def test_sources_pass_their_test_and_are_c_plus_plus(kind, networks, tmp_path):
    path = tmp_path / "net.tflite"
    if kind == "denoiser":
        path = pretrained.denoiser()
    elif kind == "crn":
        path.write_bytes(registered("crn"))
    else:
        path = networks.strided()  # stride 5 is for the CPU
    folder = generated(path, tmp_path / "out")
    code, said = make_test(folder)
    assert "passed" in said
    assert code == 0
    has_conv = "AddConv2D()" in (folder / "src/net_tflm.h").read_text()
    assert has_conv == (kind == "operators of the CPU")

    headers = write_headers(tmp_path / "headers")
    command = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only"]
    command += [f"-I{headers}", f"-I{headers / 'tensorflow/lite/micro'}", f"-I{folder / 'src'}"]
    subprocess.run([*command, str(folder / "src/net_npu.cc")], check=True)
