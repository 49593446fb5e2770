"""Layers of real networks that real Vela compiled: every figure of a layer is a sum, and the sums are the model's."""

import keras
import numpy as np
import pytest

from tests.support.costs import cycles
from tinyprune.artifacts.cycles import Cycles
from tinyprune.artifacts.resources import Kernel, OperatorCost
from tinyprune.export.tflite import convert
from tinyprune.npu import targets, vela
from tinyprune.npu.layers import layer_costs
from tinyprune.tflite import flatbuffer

SUMS = ("cycles", *Cycles.PARTS.values(), "macs", "encoded_weight_bytes", "scale_bytes")


def report(path, folder, npu="ethos-u55-128", layers=()):
    return vela.compile_tflite(path, targets.resolve(npu), folder / npu, layers).report


@pytest.mark.parametrize("npu", ["ethos-u55-128", "ethos-u65-512", "ethos-u85-256"])
def test_layers_are_the_sum_of_operators_and_the_model_that_of_layers(
    npu, networks, tmp_path
) -> None:
    made = report(networks.dense(), tmp_path, npu)
    for name in SUMS:
        assert sum(getattr(layer, name) for layer in made.layers) == sum(
            getattr(op, name) for op in made.operators
        )
    assert sum(layer.encoded_weight_bytes for layer in made.layers) == made.encoded_weight_bytes
    assert sum(layer.scale_bytes for layer in made.layers) == made.scale_bytes == 10 * (32 + 8)
    assert made.encoded_weight_bytes + made.scale_bytes + made.table_bytes == made.flash_bytes
    assert made.file_bytes == (tmp_path / npu / "dense_vela.tflite").stat().st_size
    assert made.file_bytes > made.flash_bytes + made.command_stream_bytes


def test_a_layer_has_its_kernel_its_zeros_and_its_name(networks, tmp_path) -> None:
    hidden, output = report(networks.dense(), tmp_path, layers=("hidden", "output")).layers
    assert (hidden.name, output.name) == ("hidden", "output")
    kernels = [operator.inputs[1].data for operator in flatbuffer.read(networks.dense()).operators]
    assert hidden.kernels == (Kernel((32, 16), int((kernels[0] == 0).sum())),)
    assert (hidden.weights, output.weights) == (32 * 16, 8 * 32)
    assert hidden.sparsity == hidden.kernels[0].zeros / (32 * 16)
    assert hidden.compression == 32 * 16 / hidden.encoded_weight_bytes
    assert (hidden.macs, output.macs) == (16 * 32, 32 * 8)
    assert (hidden.processor, hidden.operators) == ("NPU", ("FULLY_CONNECTED",))
    assert hidden.bound_by == "off-chip flash"


def test_operators_of_one_layer_are_one_row(networks, tmp_path) -> None:
    [layer] = report(networks.dense(), tmp_path, layers=("both", "both")).layers
    assert (layer.weights, layer.macs) == (32 * 16 + 8 * 32, 16 * 32 + 32 * 8)
    assert layer.sram_bytes == 16 + 32  # of the first, the larger one


def test_what_the_cpu_runs_is_a_layer_without_cycles(networks, tmp_path) -> None:
    made = report(networks.strided(), tmp_path)
    on_cpu, on_npu = made.layers
    assert (on_cpu.processor, on_cpu.cycles, on_cpu.bound_by) == ("CPU", 0, "")
    assert on_cpu.weights == 32 * 3 * 3 * 8
    assert made.cpu_weight_bytes == 32 * 3 * 3 * 8 + 4 * 32
    assert on_npu.processor == "NPU"
    assert made.encoded_weight_bytes + made.scale_bytes + made.cpu_weight_bytes == made.flash_bytes


def test_names_come_from_the_file_where_nobody_gives_them(networks, tmp_path) -> None:
    first, last = report(networks.dense(), tmp_path).layers
    place = (
        flatbuffer.read(networks.dense()).operators[0].outputs[0].name.partition(";")[0].split("/")
    )
    assert place[1].startswith(
        "dense"
    )  # which number Keras gives it depends on what was built before
    assert (first.name, last.name) == (place[1], "StatefulPartitionedCall_1:0")


def test_an_lstm_is_one_layer_of_eight_matrices(lstm_tflite, tmp_path) -> None:
    made = report(lstm_tflite, tmp_path, layers=("lstm", "out"))
    lstm, out = made.layers
    assert [kernel.shape for kernel in lstm.kernels] == [(8, 16)] * 4 + [(8, 8)] * 4
    assert lstm.scale_bytes == 8 * 10 * 8
    assert (
        sum(operator.source == 0 for operator in made.operators) > 8
    )  # four gates, each of several operators
    assert lstm.cycles + out.cycles == made.cycles


def test_where_vela_does_not_say_each_operator_is_a_layer(networks) -> None:
    cost = OperatorCost("a", "Conv2D", 1, 5, **cycles(2, npu=2, sram=1, off_chip_flash=1))
    [layer] = layer_costs([cost], flatbuffer.read(networks.dense()))
    assert (layer.name, layer.operators, layer.kernels, layer.cycles) == ("a", ("Conv2D",), (), 2)


@pytest.fixture(scope="module")
def lstm_tflite(tmp_path_factory):
    """16 inputs, an LSTM of 8 units, 4 outputs, one frame per call."""
    import numpy as np

    from tinyprune.compress.fold import fold
    from tinyprune.export.tflite import convert

    keras.utils.set_random_seed(0)
    layers = [keras.layers.LSTM(8, return_sequences=True), keras.layers.Dense(4)]
    model = fold(keras.Sequential([keras.Input((None, 16)), *layers]))
    path = tmp_path_factory.mktemp("lstm") / "lstm.tflite"
    path.write_bytes(
        convert(model, 1, np.random.default_rng(0).normal(size=(32, 16)).astype(np.float32))
    )
    return path


@pytest.mark.slow
@pytest.mark.parametrize("npu", ["ethos-u55-128", "ethos-u85-256"])
def test_weights_that_every_step_of_a_cell_reads_are_counted_once(npu, tmp_path) -> None:
    """Six steps of a GRU read the same two kernels: 5 x 48 and 16 x 48 weights, then 16 x 3."""
    inputs = keras.Input((6, 5))
    outputs = keras.layers.Dense(3, name="head")(keras.layers.GRU(16, name="memory")(inputs))
    calibration = np.random.default_rng(0).normal(size=(16, 6, 5)).astype("float32")
    path = tmp_path / "gru.tflite"
    path.write_bytes(convert(keras.Model(inputs, outputs), None, calibration))
    made = report(path, tmp_path, npu)
    assert sum(layer.encoded_weight_bytes for layer in made.layers) == made.encoded_weight_bytes
    assert sum(layer.flash_bytes for layer in made.layers) <= made.flash_bytes
    steps = [layer.encoded_weight_bytes for layer in made.layers if layer.weights == 16 * 48]
    assert len(steps) >= 5  # the first step has no state yet
    assert np.count_nonzero(steps) == 1
