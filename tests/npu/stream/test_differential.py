"""Every byte of the simulator against TFLM: networks, accelerators and memory modes."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tests.support.small_models import NETWORKS
from tests.support.stream_networks import random_network, registered
from tinyprune.compress.fold import fold
from tinyprune.export.tflite import convert
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


#: What strangers' networks have between two convolutions.
FUNCTIONS = {
    **{name: keras.layers.Activation(name) for name in ("elu", "selu", "mish", "softsign", "gelu")},
    "soft_shrink": keras.layers.Activation("soft_shrink"),  # a number minus a feature map
    "GroupNormalization": keras.layers.GroupNormalization(2),
    "InstanceNormalization": keras.layers.GroupNormalization(-1),
}


FAMILIES = ["ethos-u55-128", "ethos-u65-256", "ethos-u85-256"]


def check_equal(build, shape: tuple[int, ...], target: str, folder: Path) -> None:
    """All operators are on the NPU, and every byte is that of the reference."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape)
    rng = np.random.default_rng(0)
    path = folder / "network.tflite"
    values = rng.standard_normal((8, *shape)).astype(np.float32)
    path.write_bytes(convert(fold(keras.Model(inputs, build(inputs))), None, values))
    artifact = vela.compile_tflite(path, targets.resolve(target), folder)
    assert artifact.report.cpu_operators == ()
    compiled = CompiledNetwork(artifact.path)
    lockstep = Lockstep(compiled, reference_of(path.read_bytes()).engine, INFERENCES)
    for _ in range(INFERENCES):
        lockstep.invoke([rng.integers(-128, 128, (1, *shape), np.int8)])
    assert (lockstep.bytes_off, lockstep.first_off) == (0, None)


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
@pytest.mark.parametrize("target", FAMILIES)
def test_functions_and_normalisations_stay_on_the_npu(function, target, tmp_path):
    def build(x):
        return keras.layers.Conv2D(4, 1)(function(keras.layers.Conv2D(8, 3)(x)))

    check_equal(build, (6, 5, 4), target, tmp_path)


#: Heads, channels of a head in keys and in values, whether it is causal, frames for one that it reads.
ATTENTIONS = {
    "one head": (1, 5, 3, False, 1),
    "two heads": (2, 16, 16, False, 1),
    "causal": (3, 4, 4, True, 1),
    "of one head to others": (1, 4, 6, False, 3),
}


@pytest.mark.parametrize("attention", ATTENTIONS.values(), ids=ATTENTIONS)
@pytest.mark.parametrize("target", FAMILIES)
def test_so_do_the_products_of_an_attention(attention, target, tmp_path):
    heads, key_size, value_size, causal, stride = attention

    def build(x):
        read = keras.layers.Conv1D(9, stride, strides=stride)(x)
        layer = keras.layers.MultiHeadAttention(heads, key_size, value_dim=value_size)
        return layer(keras.layers.Dense(9)(x), read, use_causal_mask=causal)

    check_equal(build, (12, 9), target, tmp_path)
