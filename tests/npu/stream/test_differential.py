"""Every byte of the simulator against TFLM: networks, accelerators and memory modes."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.small_models import NETWORKS
from tests.support.stream_networks import random_network, registered
from tinyprune.npu import targets, vela
from tinyprune.npu.stream.comparison import Lockstep
from tinyprune.npu.stream.network import CompiledNetwork
from tinyprune.tflite.engines import TFLM, has_tflm
from tinyprune.tflite.reference import reference_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not has_tflm(), reason="TFLM is not installed"),
]
TARGETS = {
    target.name: target
    for target in [
        targets.resolve("ethos-u55-32"),
        targets.resolve("ethos-u55-128"),
        targets.resolve("ethos-u55-256", memory_mode="Sram_Only"),
        targets.resolve("ethos-u65-256"),
        targets.resolve("ethos-u65-512"),
        targets.resolve("ethos-u85-256"),
        targets.resolve("ethos-u85-1024"),
    ]
}
INFERENCES = 3


@pytest.fixture(scope="module", params=[*NETWORKS, *range(24)])
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registered network by its name, a random one by its seed."""
    path = tmp_path_factory.mktemp("network") / f"{request.param}.tflite"
    make = registered if isinstance(request.param, str) else random_network
    path.write_bytes(make(request.param))
    return path


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_every_byte_is_that_of_tflm(network, target, tmp_path):
    compiled = CompiledNetwork(vela.compile_tflite(network, target, tmp_path).path)
    reference = reference_of(network.read_bytes())
    assert reference.engine.name == TFLM
    lockstep = Lockstep(compiled, reference.engine, INFERENCES)
    rng = np.random.default_rng(0)
    for _ in range(INFERENCES):
        inputs = []
        for tensor in compiled.inputs:
            inputs.append(rng.integers(-128, 128, tensor.shape, tensor.dtype))
        lockstep.invoke(inputs)
    assert lockstep.bytes > 0
    assert (lockstep.bytes_off, lockstep.first_off) == (0, None)
