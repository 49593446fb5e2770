"""What computes the network of a denoiser: the compiled stream gives what a microcontroller gives."""

import numpy as np
import pytest
from click.testing import CliRunner

from tinyprune import extras
from tinyprune.cli import main
from tinyprune.enhance.denoiser import Denoiser
from tinyprune.enhance.engines import engine_maker
from tinyprune.enhance.signal import SignalStream
from tinyprune.errors import TinypruneError
from tinyprune.npu import targets

SIGNAL = (np.random.default_rng(0).normal(size=(8 * 256, 2)) / 10).astype(np.float32)
TARGET = targets.resolve("ethos-u55-128")


@pytest.fixture(scope="module")
def graph(speech_run):
    return speech_run / "variants/small/streaming.tflite"


def enhanced(graph, name):
    denoiser = Denoiser(graph, make_engine=engine_maker(name, graph, TARGET))
    stream = SignalStream(denoiser, 16_000, 2)
    return np.concatenate([stream.push(SIGNAL), stream.finish()])


def test_the_stream_gives_what_tflm_gives_in_every_channel(graph):
    """Each channel has a state of its own; LiteRT's LSTM differs by a few steps of the mask."""
    by_stream, by_tflm = enhanced(graph, "stream"), enhanced(graph, "tflm")
    np.testing.assert_array_equal(by_stream, by_tflm)
    assert np.abs(by_tflm[:, 0] - by_tflm[:, 1]).max() > 0.01
    np.testing.assert_allclose(enhanced(graph, "litert"), by_tflm, atol=0.01)


def test_tflm_that_is_not_installed(graph, monkeypatch):
    monkeypatch.setattr(extras, "is_installed", lambda package: False)
    with pytest.raises(
        TinypruneError, match=r'^--engine tflm needs tflite_micro, .* pip install "tinyprune'
    ):
        engine_maker("tflm", graph, TARGET)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--npu", "ethos-u55-128"], "--npu goes with --engine stream"),
        (["--engine", "stream", "--npu", "u99"], "unknown npu 'u99'"),
        (["--engine", "stream", "--memory-mode", "Sram_Only"], "--memory-mode goes with --npu"),
        (["--engine", "board"], "'board' is not one of"),
    ],
)
def test_bad_options_are_one_line(arguments, message, tmp_path, graph):
    (tmp_path / "in.wav").touch()
    places = [str(tmp_path / "in.wav"), str(tmp_path / "out.wav"), "--model", str(graph)]
    result = CliRunner().invoke(main, ["enhance", *places, *arguments])
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
