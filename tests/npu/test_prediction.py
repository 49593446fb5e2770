"""Every compilation has its prediction beside it, where the cost model has one."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tinyprune.npu import prediction, targets, vela
from tinyprune.npu.cost_constants import has_constants
from tinyprune.sparsity.network_shape import Channels, NetworkShape, OperatorShape, TensorShape
from tinyprune.tflite import flatbuffer

TARGET = targets.resolve("ethos-u55-128")


def test_a_compilation_has_its_prediction(networks, tmp_path):
    report = vela.compile_tflite(networks.dense(), TARGET, tmp_path).report
    found = prediction.predict_graph(flatbuffer.read(networks.dense()), TARGET)
    assert report.predicted == found
    assert found.macs == report.macs == 16 * 32 + 32 * 8
    assert found.scale_bytes == report.scale_bytes == 10 * (32 + 8)
    assert found.flash_bytes == pytest.approx(report.flash_bytes, rel=0.2)


def test_what_was_compiled_before_has_one_too(networks, tmp_path):
    first = vela.compile_tflite(networks.dense(), TARGET, tmp_path)
    record = json.loads((tmp_path / vela.RECORD_NAME).read_text())
    del record["report"]["predicted"], record["record_sha256"]  # 0.1.0 had neither
    (tmp_path / vela.RECORD_NAME).write_text(json.dumps(record))
    made = (tmp_path / "dense_vela.tflite").stat().st_mtime_ns
    assert (
        vela.compile_tflite(networks.dense(), TARGET, tmp_path).report.predicted
        == first.report.predicted
    )
    assert (tmp_path / "dense_vela.tflite").stat().st_mtime_ns == made  # nothing was compiled again


def test_nothing_is_predicted_without_constants(networks):
    graph = flatbuffer.read(networks.dense())
    own = replace(TARGET, vela_config="own.ini")  # a section of that name may be anything
    for target in (targets.resolve("ethos-u55-32"), own):
        assert not has_constants(target)
        assert prediction.predict_graph(graph, target) is None


@pytest.mark.parametrize("mode", ["Shared_Sram", "Sram_Only"])
def test_a_target_without_constants_has_the_model_that_comes_nearest_to_vela(
    networks, tmp_path, mode
):
    own = replace(
        targets.resolve("ethos-u55-128", memory_mode=mode),
        vela_config="own.ini",
        memory_mode="Mine",
    )
    shape = prediction.graph_shape(flatbuffer.read(networks.dense()))
    known = targets.resolve("ethos-u55-128", memory_mode=mode)
    report = vela.compile_tflite(networks.dense(), known, tmp_path).report
    assert prediction.nearest_model(shape, report) == known
    found = prediction.nearest_model(shape, replace(report, target=own))
    assert (found.npu.rpartition("-")[0], found.memory_mode) == ("ethos-u55", mode)


@pytest.mark.parametrize("frames", [1, 100])
def test_an_lstm_of_many_steps_is_not_predicted(frames):
    units = Channels(8, np.zeros(0))
    tensors = (TensorShape("in", (1, frames), units), TensorShape("out", (1, frames), units))
    operator = OperatorShape("lstm", "lstm", (0,), (1,), units, units, (1, frames), (1, frames))
    found = prediction.predict_whole(NetworkShape(tensors, (operator,), (), (0,), (1,)), {}, TARGET)
    assert (found is None) == (frames > 1)
