"""Counts of what a stream makes the NPU do, against arithmetic by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinyprune.artifacts.stream_counts import LayerWork, StreamCounts
from tinyprune.compress.fold import fold
from tinyprune.export.tflite import convert
from tinyprune.npu import targets, vela
from tinyprune.npu.layers import operator_layers
from tinyprune.npu.stream.counts import count, count_layers
from tinyprune.npu.stream.network import CompiledNetwork
from tinyprune.npu.tables import stream_places
from tinyprune.report.model.stream_work import busy_with
from tinyprune.tflite import flatbuffer

Counted = Callable[[str], StreamCounts]


def counting(layer: Any, shape: tuple[int, ...], folder: Path) -> Counted:
    """Return what compiles a network of one layer for an accelerator and counts."""
    import keras

    model = fold(keras.Sequential([keras.Input(shape), layer]))
    source = folder / "network.tflite"
    examples = np.random.default_rng(0).standard_normal((4, *shape)).astype(np.float32)
    source.write_bytes(convert(model, None, examples))

    def counted(npu: str) -> StreamCounts:
        artifact = vela.compile_tflite(source, targets.resolve(npu), folder / npu)
        return count(CompiledNetwork(artifact.path).programs, artifact.report.cycles)

    return counted


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Counted:
    import keras

    return counting(keras.layers.Dense(6), (10,), tmp_path_factory.mktemp("dense"))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Counted:
    import keras

    layer = keras.layers.Conv2D(16, 3, padding="same")
    return counting(layer, (40, 40, 16), tmp_path_factory.mktemp("image"))


def test_a_dense_layer_uses_each_weight_once_and_half_of_the_positions(dense):
    counts = dense("ethos-u55-128")
    assert counts.operations["convolution"] == 1
    assert counts.macs == counts.weights == 10 * 6
    assert counts.decoded_weights == 32 * 8  # runs of 32 inputs, groups of 8 outputs
    assert counts.filled_macs == 2 * 32 * 8  # two positions are computed at once
    assert counts.uses_of_a_weight == pytest.approx(60 / 256)
    assert counts.macs_per_cycle == 128
    assert counts.array_use == pytest.approx(60 / (128 * counts.cycles))


def test_a_small_array_computes_one_position_at_once(dense):
    assert dense("ethos-u55-32").filled_macs == 32 * 8


def test_each_block_of_an_image_decodes_all_weights_again(image):
    counts = image("ethos-u55-128")
    assert counts.weights == 16 * 3 * 3 * 16
    assert counts.macs == 40 * 40 * counts.weights
    one_pass = 16 * 12 * 16  # nine taps are filled up to twelve
    blocks, rest = divmod(counts.decoded_weights, one_pass)
    assert blocks > 1
    assert rest == 0
    assert counts.filled_macs == 40 * 40 * one_pass  # blocks of 40 x 40 are whole microblocks
    assert counts.uses_of_a_weight == counts.macs / (blocks * one_pass)


def test_microblocks_of_u85_are_not_guessed(dense):
    assert dense("ethos-u85-256").filled_macs is None


class Chain:
    """A small network of three layers, compiled for an accelerator."""

    def __init__(self, npu: str, folder: Path) -> None:
        import keras

        source = folder / "network.tflite"
        if not source.exists():
            layers = [
                keras.Input((24, 24, 3)),
                keras.layers.Conv2D(20, 3, strides=2, padding="same"),
                keras.layers.Activation("tanh"),
                keras.layers.DepthwiseConv2D(3, padding="same"),
                keras.layers.Flatten(),
                keras.layers.Dense(10),
            ]
            examples = np.random.default_rng(0).standard_normal((4, 24, 24, 3)).astype(np.float32)
            source.write_bytes(convert(fold(keras.Sequential(layers)), None, examples))
        artifact = vela.compile_tflite(source, targets.resolve(npu), folder / npu)
        self.report = artifact.report
        self.programs = CompiledNetwork(artifact.path).programs
        self.whole = count(self.programs, self.report.cycles)
        self.places = stream_places(artifact.path.parent)
        self.layers = operator_layers(self.report.operators, flatbuffer.read(source))

    def counted(self) -> tuple[LayerWork, ...]:
        return count_layers(self.programs, self.report.operators, self.layers, self.places)


SUMS = ("macs", "weights", "decoded_weights", "weight_bytes", "transfers", "transfer_bytes")


@pytest.fixture(scope="module")
def chain_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chain")


@pytest.mark.slow
@pytest.mark.parametrize("npu", ["ethos-u55-128", "ethos-u65-256", "ethos-u85-256"])
def test_layers_add_up_to_the_network(npu, chain_folder):
    chain = Chain(npu, chain_folder)
    works = chain.counted()
    for name in SUMS:
        total = sum(getattr(work.counts, name) for work in works)
        assert total == getattr(chain.whole, name), name
    operations = sum(sum(work.counts.operations.values()) for work in works)
    assert operations == sum(chain.whole.operations.values())
    assert sum(work.counts.cycles for work in works) == pytest.approx(chain.whole.cycles)
    if npu != "ethos-u85-256":
        assert sum(work.counts.filled_macs for work in works) == chain.whole.filled_macs
    # the names and the products are those of Vela's own table of layers
    known = {layer.name: layer for layer in chain.report.layers}
    assert [work.name for work in works] == [name for name in known if known[name].cycles]
    macs = [work.counts.macs for work in works if work.counts.macs]
    assert macs == [12 * 12 * 27 * 20, 12 * 12 * 9 * 20, 12 * 12 * 20 * 10]


@pytest.mark.slow
def test_a_stream_that_the_database_does_not_know_has_no_layers(chain_folder):
    chain = Chain("ethos-u55-128", chain_folder)
    (first, *_) = chain.places
    del chain.places[first]
    assert chain.counted() == ()
    assert stream_places(chain_folder) == {}


def work(macs: int, filled: int | None, decoded: int, kernel_share: float, bound_by: str) -> str:
    counts = StreamCounts({}, macs, filled, 0, decoded, 0, 0, 0, 128, cycles=1000.0)
    return busy_with(LayerWork("a", counts, 1000 * kernel_share, bound_by)).what


def test_each_layer_says_what_keeps_the_npu_busy():
    """An array of 128 and a decoder of 8 weights a cycle: 16 uses of a weight fill it."""
    assert work(0, 0, 0, 0.0, "") == "elementwise, copies"
    assert work(100, 100, 100, 0.4, "NPU") == "elementwise, copies"
    assert work(100, 100, 100, 0.9, "off-chip flash") == "waiting for weights"
    assert work(100, 100, 100, 0.9, "SRAM") == "moving in SRAM"
    assert work(100, 200, 100, 0.9, "NPU") == "decoding weights"  # 2 uses of each
    assert work(700, 800, 100, 0.9, "NPU") == "computing"  # 8 uses fill half of it
    assert work(500, 800, 100, 0.9, "NPU") == "filling groups"
    assert work(100, None, 100, 0.9, "NPU") == "computing"


def test_a_layer_of_no_cycles_is_elementwise():
    """Vela gives none to an addition that it joins with another operation, e.g. on Ethos-U85."""
    counts = StreamCounts({}, 0, None, 0, 0, 0, 0, 0, 256, cycles=0.0)
    assert busy_with(LayerWork("add", counts, 0.0, "")).what == "elementwise, copies"
