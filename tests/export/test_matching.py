"""Flatbuffer kernels: in their Keras order for a network that was converted, and for graphs written here by hand."""

import keras
import numpy as np
import pytest

from tinyprune.compress.prepare import prepare, strip
from tinyprune.errors import CheckFailed
from tinyprune.export.matching import read_kernels
from tinyprune.export.tflite import convert
from tinyprune.models.tinylstm import build
from tinyprune.tflite.flatbuffer import read
from tinyprune.tflite.graph import Graph, Operator, Tensor

L = keras.layers
BANDS, UNITS, HIDDEN = 8, 6, 5


@pytest.fixture(scope="module")
def plain() -> keras.Model:
    """A network whose kernels are on their int8 grid."""
    keras.utils.set_random_seed(0)
    model = build((None, BANDS), BANDS, UNITS, HIDDEN)
    return strip(prepare(model), model)


def test_int8_weights_times_their_scale_are_the_keras_kernels(plain, tmp_path):
    path = tmp_path / "tiny.tflite"
    path.write_bytes(
        convert(plain, 1, np.random.default_rng(0).normal(size=(20, BANDS)).astype(np.float32))
    )
    graph = read(path)
    found = read_kernels(graph, plain)
    expected = {
        f"{layer.name}/{variable.name}": variable.numpy()
        for layer in plain.layers
        for variable in layer.weights
        if variable.name != "bias"
    }
    assert list(found) == list(expected)
    first, second, *dense = graph.operators[:4]
    for layer, operator in (("lstm_1", first), ("lstm_2", second)):
        for name, inputs in (
            ("kernel", operator.inputs[1:5]),
            ("recurrent_kernel", operator.inputs[5:9]),
        ):
            scales = np.repeat(
                [float(tensor.scale[0]) for tensor in inputs], UNITS
            )  # one per gate matrix
            key = f"{layer}/{name}"
            np.testing.assert_allclose(found[key] * scales, expected[key], atol=1e-6)
    for layer, operator in zip(("dense", "mask"), dense, strict=True):
        scales = operator.inputs[1].scale  # one per output
        assert len(scales) == plain.get_layer(layer).units
        np.testing.assert_allclose(
            found[f"{layer}/kernel"] * scales, expected[f"{layer}/kernel"], atol=1e-6
        )


def tensor(values: np.ndarray | None, dtype: str = "int8") -> Tensor:
    shape = () if values is None else values.shape
    return Tensor("", shape, dtype, np.ones(1, np.float32), np.zeros(1, np.int64), values, 0)


def operator(name: str, values: np.ndarray | None, dtype: str = "int8") -> Operator:
    return Operator(name, (tensor(None), tensor(values, dtype), None), (tensor(None),))


def dense(values: np.ndarray | None, dtype: str = "int8") -> Operator:
    return operator("FULLY_CONNECTED", values, dtype)


def lstm(matrices: list[np.ndarray]) -> Operator:
    return Operator(
        "UNIDIRECTIONAL_SEQUENCE_LSTM", (tensor(None), *map(tensor, matrices)), (tensor(None),)
    )


def graph(*operators: Operator) -> Graph:
    return Graph(operators, (), ())


def model(*layers: keras.layers.Layer, shape: tuple[int, ...] = (3,)) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *layers])


def test_a_dense_kernel_is_transposed():
    values = np.arange(2 * 3, dtype=np.int8).reshape(2, 3)
    found = read_kernels(graph(dense(values)), model(keras.layers.Dense(2, name="out")))
    np.testing.assert_array_equal(found["out/kernel"], values.T)


def test_gate_matrices_lie_side_by_side():
    gates = [np.full((2, 3), value, np.int8) for value in (1, 2, 3, 4)]
    recurrent = [np.full((2, 2), value, np.int8) for value in (5, 6, 7, 8)]
    found = read_kernels(
        graph(lstm(gates + recurrent)), model(keras.layers.LSTM(2, name="lstm"), shape=(4, 3))
    )
    assert found["lstm/kernel"].shape == (3, 4 * 2)
    np.testing.assert_array_equal(found["lstm/kernel"][0], [1, 1, 2, 2, 3, 3, 4, 4])
    assert found["lstm/recurrent_kernel"].shape == (2, 4 * 2)
    np.testing.assert_array_equal(found["lstm/recurrent_kernel"][0], [5, 5, 6, 6, 7, 7, 8, 8])


def numbered(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.int8).reshape(shape)


#: Layer and its input -> the operator that it becomes, its weights, and the axes that bring them to
#: the Keras order.
CONVOLUTIONS = {
    "Conv2D": (
        L.Conv2D(5, (2, 3)),
        (8, 8, 4),
        "CONV_2D",
        (5, 2, 3, 4),
        lambda w: w.transpose(1, 2, 3, 0),
    ),
    "grouped Conv2D": (
        L.Conv2D(6, 2, groups=2),
        (8, 8, 4),
        "CONV_2D",
        (6, 2, 2, 2),
        lambda w: w.transpose(1, 2, 3, 0),
    ),
    "Conv1D": (
        L.Conv1D(5, 3),
        (8, 4),
        "CONV_2D",
        (5, 1, 3, 4),
        lambda w: w[:, 0].transpose(1, 2, 0),
    ),
    "DepthwiseConv2D": (
        *(L.DepthwiseConv2D(3, depth_multiplier=2), (8, 8, 4)),
        *("DEPTHWISE_CONV_2D", (1, 3, 3, 4 * 2), lambda w: w.reshape(3, 3, 4, 2)),
    ),
    "DepthwiseConv2D of one channel": (
        *(L.DepthwiseConv2D(3, depth_multiplier=2), (8, 8, 1)),
        *("CONV_2D", (2, 3, 3, 1), lambda w: w.transpose(1, 2, 3, 0)),
    ),
    "Conv1DTranspose": (
        *(L.Conv1DTranspose(5, 2), (8, 4)),
        *("TRANSPOSE_CONV", (5, 1, 2, 4), lambda w: w[:, 0].transpose(1, 0, 2)),
    ),
    "Conv2DTranspose": (
        *(L.Conv2DTranspose(5, 2), (8, 8, 4)),
        *(
            "TRANSPOSE_CONV",
            (5, 2, 2, 4),
            lambda w: w.transpose(1, 2, 0, 3),
        ),  # Keras: (height, width, outputs, inputs)
    ),
}


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_convolutions_come_back_in_the_order_that_keras_has(kind):
    layer, inputs, name, shape, order = CONVOLUTIONS[kind]
    values = numbered(*shape)
    found = read_kernels(graph(operator(name, values)), model(layer, shape=inputs))[
        f"{layer.name}/kernel"
    ]
    assert found.shape == tuple(layer.kernel.shape)
    np.testing.assert_array_equal(found, order(values))


def test_of_operators_of_one_shape_each_layer_gets_the_one_with_its_values():
    layers = [L.Conv2D(4, 3, padding="same", name=name) for name in "abc"]
    network = model(*layers, shape=(8, 8, 4))
    whole = {}
    for layer in layers:
        kernel = np.random.default_rng(ord(layer.name)).integers(-127, 128, (3, 3, 4, 4))
        kernel[0, 0, 0] = 127  # so that each channel's scale is 1
        layer.kernel.assign(kernel)
        whole[layer.name] = kernel.astype(np.int8)
    shuffled = [operator("CONV_2D", whole[name].transpose(3, 0, 1, 2)) for name in "cab"]
    for name in "abc":
        np.testing.assert_array_equal(
            read_kernels(graph(*shuffled), network)[f"{name}/kernel"], whole[name]
        )


def test_an_operator_belongs_to_one_layer_only():
    network = model(
        L.Conv2D(4, 3, padding="same", name="a"),
        L.Conv2D(4, 3, padding="same", name="b"),
        shape=(8, 8, 4),
    )
    with pytest.raises(
        CheckFailed, match=r"^layer 'b' has no int8 operator of shape \(3, 3, 4, 4\) in the export$"
    ):
        read_kernels(graph(operator("CONV_2D", numbered(4, 3, 3, 4))), network)


def test_operators_come_in_the_order_of_the_layers_and_others_are_skipped():
    first, second = np.ones((4, 3), np.int8), np.ones((2, 4), np.int8)
    between = Operator("LOGISTIC", (tensor(None),), (tensor(None),))
    layers = [
        keras.layers.Dense(4, name="first"),
        keras.layers.ReLU(),
        keras.layers.Dense(2, name="second"),
    ]
    found = read_kernels(graph(dense(first), between, dense(second)), model(*layers))
    assert {key: kernel.shape for key, kernel in found.items()} == {
        "first/kernel": (3, 4),
        "second/kernel": (4, 2),
    }


@pytest.mark.parametrize(
    "operators",
    [[], [dense(np.ones((3, 2), np.int8))], [lstm(8 * [np.ones((2, 3), np.int8)])]],
    ids=["missing", "transposed", "another operator"],
)
def test_a_layer_without_its_operator_is_a_failed_check(operators):
    with pytest.raises(
        CheckFailed, match=r"^layer 'out' has no int8 operator of shape \(3, 2\) in the export$"
    ):
        read_kernels(graph(*operators), model(keras.layers.Dense(2, name="out")))


@pytest.mark.parametrize(
    "operator",
    [dense(np.ones((2, 3), np.float32), "float32"), dense(None)],
    ids=["float", "computed"],
)
def test_a_kernel_that_is_not_int8_is_a_failed_check(operator):
    with pytest.raises(
        CheckFailed, match=r"^layer 'out' has no int8 operator of shape \(3, 2\) in the export$"
    ):
        read_kernels(graph(operator), model(keras.layers.Dense(2, name="out")))
