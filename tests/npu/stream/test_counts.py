"""Counts of what a stream makes the NPU do, against arithmetic by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinyprune.artifacts.stream_counts import StreamCounts
from tinyprune.compress.fold import fold
from tinyprune.export.tflite import convert
from tinyprune.npu import targets, vela
from tinyprune.npu.stream.counts import count
from tinyprune.npu.stream.network import CompiledNetwork

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
