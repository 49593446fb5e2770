"""Compiled networks in the simulator, byte by byte against the interpreter that devices run."""

from pathlib import Path

import numpy as np
import pytest

from tinyprune import pretrained
from tinyprune.errors import UsageError
from tinyprune.npu import targets, vela
from tinyprune.npu.stream.network import CompiledNetwork
from tinyprune.tflite.engines import Tflm, has_tflm
from tinyprune.tflite.reference import device_engine

U55 = targets.resolve("ethos-u55-128")
with_tflm = pytest.mark.skipif(not has_tflm(), reason="TFLM is not installed")


@pytest.fixture(scope="module")
def denoiser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network that comes with tinyprune, compiled."""
    folder = tmp_path_factory.mktemp("denoiser")
    return vela.compile_tflite(pretrained.denoiser(), U55, folder).path


def noise(network: CompiledNetwork, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    values = []
    for tensor in network.inputs:
        limits = np.iinfo(tensor.dtype)
        values.append(rng.integers(limits.min, limits.max, tensor.shape, tensor.dtype, True))
    return values


@with_tflm
def test_the_denoiser_computes_what_tflm_computes_and_keeps_its_state(denoiser):
    network, reference = CompiledNetwork(denoiser), Tflm(pretrained.denoiser().read_bytes())
    first = network.invoke(noise(network, 0))[0]
    assert (reference.invoke(noise(network, 0))[0] == first).all()
    for frame in range(1, 20):
        inputs = noise(network, frame)
        assert (network.invoke(inputs)[0] == reference.invoke(inputs)[0]).all()

    again = network.invoke(noise(network, 0))[0]
    assert (again != first).any()
    network.reset()
    assert (network.invoke(noise(network, 0))[0] == first).all()


@pytest.mark.slow
def test_operators_of_the_cpu_run_between_those_of_the_npu(networks, tmp_path):
    source = networks.strided()  # stride 5 is for the CPU
    network = CompiledNetwork(vela.compile_tflite(source, U55, tmp_path).path)
    assert [type(step).__name__ for step in network.file.steps] == ["CpuStep", "NpuStep"]
    reference = device_engine(source.read_bytes())
    for seed in range(3):
        inputs = noise(network, seed)
        assert (network.invoke(inputs)[0] == reference.invoke(inputs)[0]).all()


def test_a_network_that_is_not_compiled_is_one_line():
    with pytest.raises(UsageError, match="is not compiled by Vela: compile it first"):
        CompiledNetwork(pretrained.denoiser())
