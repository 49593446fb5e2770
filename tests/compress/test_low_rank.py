"""Layers as two: what they compute, what they are called, and the statistics that they start from."""

import keras
import numpy as np
import pytest

from tinyprune.compress.fold import fold
from tinyprune.compress.kinds.base import bias
from tinyprune.compress.low_rank import (
    factor_names,
    first_name,
    input_statistics,
    matrix,
    split_in_two,
    with_factors,
)
from tinyprune.sparsity.plan import FactorPlan

L = keras.layers


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def plan(model: keras.Model, layer: str, rank: int) -> FactorPlan:
    kernel = model.get_layer(layer)
    values = kernel.cell.kernel if isinstance(kernel, L.RNN) else kernel.kernel
    return FactorPlan(layer, "kernel", first_name(model, layer), tuple(values.shape), rank, 1.0)


def in_two(model: keras.Model, calibration: np.ndarray, **ranks: int) -> keras.Model:
    plans = [plan(model, layer, rank) for layer, rank in ranks.items()]
    return with_factors(model, plans, input_statistics(model, ranks, calibration))


CASES = {
    "dense": (L.Dense(6, activation="relu", name="it"), (10,)),
    "dense_of_positions": (L.Dense(6, use_bias=False, name="it"), (4, 10)),
    "conv1d": (L.Conv1D(6, 3, strides=2, padding="same", activation="relu", name="it"), (9, 4)),
    "conv1d_causal": (L.Conv1D(6, 3, padding="causal", dilation_rate=2, name="it"), (9, 4)),
    "conv2d": (L.Conv2D(6, (3, 2), strides=(2, 1), padding="same", name="it"), (7, 6, 3)),
    "conv2d_valid": (L.Conv2D(6, 3, dilation_rate=2, activation="relu", name="it"), (7, 8, 3)),
    "lstm": (L.LSTM(6, return_sequences=True, name="it"), (5, 4)),
    "gru": (L.GRU(6, name="it"), (5, 4)),
    "gru_before": (L.GRU(6, reset_after=False, use_bias=False, name="it"), (5, 4)),
}


@pytest.fixture(params=CASES)
def alone(request):
    """A network of one layer, with any bias, and inputs with a mean of 0.5."""
    layer, shape = CASES[request.param]
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape)
    layer = type(layer).from_config(layer.get_config())
    model = fold(keras.Model(inputs, layer(inputs)))
    for variable in model.weights:
        variable.assign(noise(*variable.shape, seed=len(variable.shape)))
    return model, noise(40, *shape) + 0.5


def test_a_layer_of_full_rank_computes_what_it_did(alone):
    model, given = alone
    layer = model.get_layer("it")
    split = in_two(model, given, it=min(matrix(layer).shape))
    assert [item.name for item in split.layers[1:]] == ["it_in", "it"]
    np.testing.assert_allclose(split(given), model(given), atol=2e-5)


def test_the_statistics_are_those_of_what_the_kernel_is_multiplied_with(alone):
    """The output without bias is kernel^T x, so its mean and variance follow from those of x."""
    model, given = alone
    layer = model.get_layer("it")
    found = input_statistics(model, ["it"], given)["it"]
    if isinstance(layer, L.RNN):
        rows = given.reshape(-1, 4)
        np.testing.assert_allclose(found.mean, rows.mean(0), atol=1e-5)
        np.testing.assert_allclose(found.covariance, np.cov(rows.T, bias=True), atol=1e-4)
        return
    linear = type(layer).from_config({**layer.get_config(), "activation": "linear"})
    inputs = keras.Input(given.shape[1:])
    plain = keras.Model(inputs, linear(inputs))
    plain.set_weights(model.get_weights())
    own = 0 if bias(layer) is None else bias(layer).numpy()
    made = np.asarray(plain(given)).reshape(-1, 6) - own
    kernel = matrix(layer)
    np.testing.assert_allclose(found.mean @ kernel, made.mean(0), atol=1e-4)
    covariance = kernel.T @ found.covariance @ kernel
    np.testing.assert_allclose(covariance, np.cov(made.T, bias=True), rtol=1e-3, atol=1e-2)


def test_few_ranks_have_few_channels_between():
    """3x3x4 -> 8 as 3x3x4 -> 2 -> 8: 36 * 2 + 2 * 8 = 88 weights in place of 288, and 8 biases."""
    inputs = keras.Input((6, 6, 4))
    model = fold(
        keras.Model(inputs, L.Conv2D(8, 3, strides=2, activation="relu", name="c")(inputs))
    )
    split = in_two(model, noise(8, 6, 6, 4), c=2)
    first, second = split.get_layer("c_in"), split.get_layer("c")
    assert (first.kernel_size, first.strides, first.filters) == ((3, 3), (2, 2), 2)
    assert (first.use_bias, first.activation.__name__) == (False, "linear")
    assert (second.kernel_size, second.strides, second.filters) == ((1, 1), (1, 1), 8)
    assert second.activation.__name__ == "relu"
    assert split.count_params() == 88 + 8


def test_other_layers_keep_their_weights_and_one_that_is_called_twice_is_two_once():
    one, other = keras.Input((6,), name="one"), keras.Input((6,), name="other")
    shared = L.Dense(5, name="shared")
    joined = L.Concatenate()([shared(one), shared(other)])
    model = fold(keras.Model([one, other], L.Dense(3, name="head")(joined)))
    split = split_in_two(model, [plan(model, "shared", 2)])
    assert [item.name for item in split.layers if item.weights] == ["shared_in", "shared", "head"]
    np.testing.assert_array_equal(
        split.get_layer("head").kernel.numpy(), model.get_layer("head").kernel.numpy()
    )


def test_the_layer_before_gets_a_name_that_is_free():
    inputs = keras.Input((6,))
    model = keras.Model(inputs, L.Dense(3, name="a")(L.Dense(4, name="a_in")(inputs)))
    assert first_name(model, "a") == "a_in_"


def test_nothing_to_do_gives_the_model_itself():
    inputs = keras.Input((6,))
    model = keras.Model(inputs, L.Dense(3, name="a")(inputs))
    assert with_factors(model, [], {}) is model


def test_two_factors_are_known_as_such_and_other_layers_are_not():
    inputs = keras.Input((8, 8, 4))
    x = L.Conv2D(6, 3, name="whole")(inputs)
    x = L.Conv2D(6, 3, use_bias=False, name="before_3x3")(x)
    x = L.Conv2D(12, 3, padding="same", name="two")(x)
    x = L.GlobalAveragePooling2D()(L.SeparableConv2D(8, 3, name="separable")(x))
    model = fold(keras.Model(inputs, L.Dense(3, name="head")(x)))
    assert factor_names(model) == set()
    split = in_two(model, noise(4, 8, 8, 4), two=3)
    assert factor_names(split) == {"two_in", "two"}
