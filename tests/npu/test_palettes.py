"""Kernels with few values: bytes as the encoder makes them, and a prediction that knows them."""

from pathlib import Path

import numpy as np
import pytest

from tinyprune.npu import palettes, targets, vela
from tinyprune.npu.palettes import palette_bytes
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.graph import Graph, Operator, Tensor

TARGET = targets.resolve("ethos-u55-128")
#: The denoiser that the shipped one was trained from.
CLUSTERED = Path(__file__).parents[2] / "benchmarks" / "pretrained" / "start" / "denoiser.tflite"


def dense(weights: np.ndarray) -> Graph:
    """One FULLY_CONNECTED, whose kernel is (outputs, inputs)."""
    outputs, inputs = weights.shape
    one, none = np.ones(1), np.zeros(1, int)
    read = Tensor("in", (1, inputs), "int8", one, none, None, 0)
    kernel = Tensor("w", weights.shape, "int8", one, none, weights.astype(np.int8), 1)
    made = Tensor("out", (1, outputs), "int8", one, none, None, 2)
    operator = Operator("FULLY_CONNECTED", (read, kernel, None), (made,), {})
    return Graph((operator,), (read,), (made,))


def drawn(values: list[int], shape=(64, 64)) -> np.ndarray:
    return np.random.default_rng(0).choice(values, shape)


@pytest.mark.parametrize(("values", "bits"), [([-127, 127], 1), ([-90, -3, 3, 90], 2)])
def test_as_many_bits_as_tell_the_values_apart(values, bits):
    """Each value as often as another: 2 take a bit, 4 two bits, and the palette itself comes on top."""
    assert palette_bytes(dense(drawn(values))) == {"out/kernel": pytest.approx(bits / 8, rel=0.15)}


def test_a_kernel_with_many_values_is_left_to_its_zeros():
    assert palette_bytes(dense(drawn(list(range(-20, 20))))) == {}


def test_of_a_large_kernel_pieces_tell(monkeypatch):
    graph = dense(drawn([-9, 0, 0, 9]))
    [whole] = palette_bytes(graph).values()
    monkeypatch.setattr(palettes, "_SAMPLED", 1024)
    [sampled] = palette_bytes(graph).values()
    assert sampled == pytest.approx(whole, rel=0.1)


def test_the_flash_of_a_denoiser_with_few_values_is_predicted(tmp_path):
    """It has 16 values per kernel. By its zeros alone it was said to take 57 kB in place of 45 kB."""
    report = vela.compile_tflite(CLUSTERED, TARGET, tmp_path).report
    assert report.predicted.flash_bytes == pytest.approx(report.flash_bytes, rel=0.02)
    assert len(palette_bytes(flatbuffer.read(CLUSTERED))) == 2 * 2 + 2
