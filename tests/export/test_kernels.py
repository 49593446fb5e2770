"""Flatbuffer kernels: in their Keras order for a network that was converted, and for graphs written here by hand."""

import keras
import numpy as np
import pytest

from tinyprune.compress.prepare import prepare, strip
from tinyprune.errors import CheckFailed
from tinyprune.export.kernels import read_kernels
from tinyprune.export.tflite import convert
from tinyprune.flatbuffer import Graph, Operator, Tensor, read
from tinyprune.models.tinylstm import build

BANDS, UNITS, HIDDEN = 8, 6, 5


@pytest.fixture(scope="module")
def plain() -> keras.Model:
    """A network whose kernels are on their int8 grid."""
    keras.utils.set_random_seed(0)
    model = build(BANDS, UNITS, HIDDEN)
    return strip(prepare(model), model)


def test_int8_weights_times_their_scale_are_the_keras_kernels(plain, tmp_path):
    path = tmp_path / "tiny.tflite"
    path.write_bytes(convert(plain, 1, np.random.default_rng(0).normal(size=(20, BANDS)).astype(np.float32)))
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
        for name, inputs in (("kernel", operator.inputs[1:5]), ("recurrent_kernel", operator.inputs[5:9])):
            scales = np.repeat([float(tensor.scale[0]) for tensor in inputs], UNITS)  # one per gate matrix
            key = f"{layer}/{name}"
            np.testing.assert_allclose(found[key] * scales, expected[key], atol=1e-6)
    for layer, operator in zip(("dense", "mask"), dense, strict=True):
        scales = operator.inputs[1].scale  # one per output
        assert len(scales) == plain.get_layer(layer).units
        np.testing.assert_allclose(found[f"{layer}/kernel"] * scales, expected[f"{layer}/kernel"], atol=1e-6)


def tensor(values: np.ndarray | None, dtype: str = "int8") -> Tensor:
    shape = () if values is None else values.shape
    return Tensor("", shape, dtype, np.ones(1, np.float32), np.zeros(1, np.int64), values, 0)


def dense(values: np.ndarray | None, dtype: str = "int8") -> Operator:
    return Operator("FULLY_CONNECTED", (tensor(None), tensor(values, dtype), None), (tensor(None),))


def lstm(matrices: list[np.ndarray]) -> Operator:
    return Operator("UNIDIRECTIONAL_SEQUENCE_LSTM", (tensor(None), *map(tensor, matrices)), (tensor(None),))


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
    found = read_kernels(graph(lstm(gates + recurrent)), model(keras.layers.LSTM(2, name="lstm"), shape=(4, 3)))
    assert found["lstm/kernel"].shape == (3, 4 * 2)
    np.testing.assert_array_equal(found["lstm/kernel"][0], [1, 1, 2, 2, 3, 3, 4, 4])
    assert found["lstm/recurrent_kernel"].shape == (2, 4 * 2)
    np.testing.assert_array_equal(found["lstm/recurrent_kernel"][0], [5, 5, 6, 6, 7, 7, 8, 8])


def test_operators_come_in_the_order_of_the_layers_and_others_are_skipped():
    first, second = np.ones((4, 3), np.int8), np.ones((2, 4), np.int8)
    between = Operator("LOGISTIC", (tensor(None),), (tensor(None),))
    layers = [keras.layers.Dense(4, name="first"), keras.layers.ReLU(), keras.layers.Dense(2, name="second")]
    found = read_kernels(graph(dense(first), between, dense(second)), model(*layers))
    assert {key: kernel.shape for key, kernel in found.items()} == {"first/kernel": (3, 4), "second/kernel": (4, 2)}


@pytest.mark.parametrize(
    "operators",
    [[], [dense(np.ones((3, 2), np.int8))], [lstm(8 * [np.ones((2, 3), np.int8)])]],
    ids=["missing", "transposed", "another operator"],
)
def test_a_layer_without_its_operator_is_a_failed_check(operators):
    with pytest.raises(CheckFailed, match=r"^layer 'out' has no int8 operator of shape \(3, 2\) in the export$"):
        read_kernels(graph(*operators), model(keras.layers.Dense(2, name="out")))


@pytest.mark.parametrize(
    "operator", [dense(np.ones((2, 3), np.float32), "float32"), dense(None)], ids=["float", "computed"]
)
def test_a_kernel_that_is_not_int8_is_a_failed_check(operator):
    with pytest.raises(CheckFailed, match="input 1 of FULLY_CONNECTED is no constant int8 matrix"):
        read_kernels(graph(operator), model(keras.layers.Dense(2)))
