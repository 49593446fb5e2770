"""The shape of a file is the one that the network had, so that the same is predicted before and after the export."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tests.support.quick import quick
from tinyprune.compress.coupling import coupling
from tinyprune.compress.fold import fold
from tinyprune.compress.shapes import network_shape
from tinyprune.export.tflite import convert
from tinyprune.models import crn, ds_cnn, kwt, resnet8, tinylstm
from tinyprune.npu import targets
from tinyprune.npu.cost_model import predict
from tinyprune.npu.graph_shape import graph_shape, kernel_zeros
from tinyprune.tflite import flatbuffer
from tinyprune.tflite.graph import Graph, Operator

layers = keras.layers
TARGETS = [
    targets.resolve("ethos-u55-128"),
    targets.resolve("ethos-u85-256", memory_mode="Sram_Only"),
]
NONE = np.zeros(0)


def exported(model: keras.Model, frames: int | None, path: Path) -> Graph:
    sizes = model.inputs[0].shape[2 if frames else 1 :]
    calibration = np.random.default_rng(0).standard_normal((4, *sizes)).astype(np.float32)
    path.write_bytes(convert(model, frames, calibration))
    return flatbuffer.read(path)


def branches() -> keras.Model:
    """Two branches that are joined, a pool, a dilated convolution, and a sum with a convolution of stride 2."""
    given = keras.Input((16, 16, 3))
    left, right = (layers.Conv2D(n, 3, padding="same", activation="relu")(given) for n in (8, 12))
    joined = layers.Concatenate()([left, right])
    small = layers.Conv2D(20, 3, strides=2, padding="same")(joined)
    summed = layers.Add()([small, layers.MaxPooling2D()(joined)])
    wide = layers.Conv2D(16, 3, dilation_rate=2, padding="same")(layers.ReLU()(summed))
    return keras.Model(given, layers.Dense(10, activation="softmax")(layers.Flatten()(wide)))


def attentive() -> keras.Model:
    """A small keyword transformer whose normalisations scale and move every channel."""
    model = kwt.build(inputs=(20, 10, 1), outputs=4, channels=64, heads=4, hidden=24, blocks=1)
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, layers.LayerNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, value.shape) for value in layer.get_weights()])
    return model


NETWORKS = {
    "ds_cnn": (lambda: ds_cnn.build(), None),
    "resnet8": (lambda: resnet8.build(), None),
    "branches": (branches, None),
    "kwt": (attentive, None),
    "tinylstm": (lambda: tinylstm.build(units=24, hidden=16), 1),
    "crn": (lambda: crn.build((None, 128), 128, channels=(4, 6), hidden=8, dilations=(1, 2)), 1),
}


@pytest.mark.parametrize("name", quick(list(NETWORKS), "branches", "tinylstm"))
def test_the_same_is_predicted_of_a_file_as_of_the_network_in_it(name, tmp_path):
    build, frames = NETWORKS[name]
    keras.utils.set_random_seed(0)
    model = fold(build())
    shape = network_shape(model, coupling(model), frames)
    found = graph_shape(exported(model, frames, tmp_path / "model.tflite"))
    for target in TARGETS:
        expected, made = predict(shape, shape.whole, target), predict(found, NONE, target)
        for field in ("flash_bytes", "encoded_weight_bytes", "scale_bytes", "cycles", "macs"):
            assert getattr(made, field) == pytest.approx(getattr(expected, field)), field
        # a file has an order of its own, most of all the transposes of attention
        tolerance = 0.2 if name == "kwt" else 0.1
        assert made.sram_bytes == pytest.approx(expected.sram_bytes, rel=tolerance)


def test_sizes_of_a_dense_network(networks):
    graph = flatbuffer.read(networks.dense())
    shape = graph_shape(graph)
    assert [op.kind for op in shape.operators] == ["dense", "dense"]
    assert [(op.channels_in.fixed, op.channels_out.fixed) for op in shape.operators] == [
        (16, 32),
        (32, 8),
    ]
    assert (shape.inputs, shape.outputs, shape.sets) == ((0,), (2,), ())
    assert predict(shape, NONE, TARGETS[0]).macs == 16 * 32 + 32 * 8


def test_states_are_what_nobody_makes(tmp_path):
    model = fold(tinylstm.build(units=24, hidden=16))
    shape = graph_shape(exported(model, 1, tmp_path / "model.tflite"))
    states = [tensor for tensor in shape.tensors if tensor.is_state]
    assert [(state.channels.fixed, state.bytes_per_element) for state in states] == [
        (24, 1),
        (24, 2),
    ] * 2


@pytest.mark.slow
def test_zeros_are_counted_kernel_by_kernel(tmp_path):
    model = fold(tinylstm.build(units=24, hidden=16))
    lstm, *_ = (layer for layer in model.layers if isinstance(layer, layers.LSTM))
    kernel, recurrent, bias = lstm.get_weights()
    kernel[:, ::2], recurrent[:] = 0, np.sign(recurrent)
    lstm.set_weights([kernel, recurrent, bias])
    graph = exported(model, 1, tmp_path / "model.tflite")
    found = kernel_zeros(graph)
    first = graph.operators[0].outputs[0].name
    assert 0.5 <= found[f"{first}/kernel"] < 0.55
    assert found[f"{first}/recurrent_kernel"] == 0
    assert len(found) == 2 + 2 + 1 + 1  # two LSTMs, two dense layers


def test_what_is_not_known_is_other_and_costs_nothing(networks):
    graph = flatbuffer.read(networks.dense())
    odd = Operator("ODD", graph.operators[0].outputs, (), {})
    strange = Operator("STRANGE", graph.operators[1].outputs, graph.outputs, {})
    shape = graph_shape(Graph((*graph.operators, odd, strange), graph.inputs, graph.outputs))
    assert [op.kind for op in shape.operators] == ["dense", "dense", "other"]
    plain = predict(graph_shape(graph), NONE, TARGETS[0])
    assert predict(shape, NONE, TARGETS[0]).cycles == plain.cycles
