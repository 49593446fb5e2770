import keras
import numpy as np
import pytest

from tinyprune.compress.fold import fold
from tinyprune.compress.kinds.composed import COMPOSITIONS, ComposedFunction

L, ops = keras.layers, keras.ops
VECTORS = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
FRAMES = np.random.default_rng(1).normal(size=(2, 3, 8, 8, 2)).astype(np.float32)


def folded(build, values=VECTORS) -> keras.Model:
    """The canonical form, which computes the same."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(values.shape[1:])
    model = keras.Model(inputs, build(inputs))
    canonical = fold(model)
    np.testing.assert_allclose(canonical(values), model(values), atol=1e-5)
    return canonical


def kinds(model: keras.Model) -> list[str]:
    return [type(layer).__name__ for layer in model.layers[1:]]


COMPOSED = sorted(set(COMPOSITIONS) - {"elu", "celu"})


@pytest.mark.parametrize("function", COMPOSED)
def test_a_function_at_the_end_of_a_layer_gets_a_layer(function):
    model = folded(lambda x: L.Dense(4, activation=function, name="k")(x))
    assert kinds(model) == ["Dense", "ComposedFunction"]
    assert model.get_layer("k").activation is keras.activations.linear
    assert model.get_layer("k_function").function == function


@pytest.mark.parametrize("function", COMPOSED)
def test_an_activation_layer_and_an_operation_become_the_same_layer(function):
    built = [lambda x: L.Activation(function, name="f")(L.Dense(4)(x))]
    if function != "mish":  # which Keras has no operation for
        built.append(lambda x: getattr(keras.activations, function)(L.Dense(4)(x)))
    for build in built:
        model = folded(build)
        assert kinds(model) == ["Dense", "ComposedFunction"]
        assert model.layers[-1].function == function


@pytest.mark.parametrize(
    "function",
    [
        L.ELU(),
        L.Activation("elu"),
        L.Activation("celu"),
        ops.elu,
        ops.celu,
    ],
    ids=["layer", "activation", "celu", "operation", "operation celu"],
)
def test_an_elu_that_goes_to_minus_1_is_an_operator_that_a_kernel_takes_in(function):
    model = folded(lambda x: function(L.BatchNormalization()(L.Dense(4, name="k")(x))))
    assert kinds(model) == ["Dense"]
    assert model.get_layer("k").activation is keras.activations.elu


@pytest.mark.parametrize(
    ("build", "function"),
    [
        (lambda x: L.ELU(0.5)(L.Dense(4)(x)), "elu"),
        (lambda x: L.Dense(4, activation=L.ELU(0.5))(x), "elu"),
        (lambda x: ops.elu(L.Dense(4)(x), 0.5), "elu"),
        (lambda x: ops.celu(L.Dense(4)(x), 0.5), "celu"),
    ],
    ids=["layer", "inside", "operation", "celu"],
)
def test_another_alpha_is_kept(build, function):
    model = folded(build)
    assert kinds(model) == ["Dense", "ComposedFunction"]
    assert (model.layers[-1].function, model.layers[-1].setting) == (function, 0.5)


def test_the_parts_of_a_separable_convolution_come_before_its_function():
    images = np.random.default_rng(1).normal(size=(2, 8, 8, 3)).astype(np.float32)
    model = folded(lambda x: L.SeparableConv2D(4, 3, activation="selu")(x), images)
    assert kinds(model) == ["DepthwiseConv2D", "Conv2D", "ComposedFunction"]


def test_so_do_those_of_a_layer_of_every_frame():
    conv = L.Conv2D(4, 3, padding="same", activation="softplus", name="k")
    model = folded(lambda x: L.TimeDistributed(conv, name="k")(x), FRAMES)
    assert isinstance(model.layers[-1], ComposedFunction)
    assert "TimeDistributed" not in kinds(model)


def test_a_negative_is_a_product_with_minus_1():
    model = folded(lambda x: L.Dense(4)(-L.Dense(4)(x)))
    assert kinds(model) == ["Dense", "Rescaling", "Dense"]


def test_a_function_of_users_own_stays():
    @keras.saving.register_keras_serializable("test_functions")
    def softplus(x):
        return ops.softplus(x) + 1

    model = folded(lambda x: L.Dense(4, activation=softplus)(x))
    assert kinds(model) == ["Dense"]
