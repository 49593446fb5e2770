import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tinyprune.compress.kinds.composed import COMPOSITIONS, ComposedFunction
from tinyprune.compress.prepare import calibrate, prepare

L = keras.layers
VALUES = np.linspace(-6, 6, 97, dtype=np.float32)[:, None]
#: Name -> (argument, value), by hand.
BY_HAND = {
    "elu": (-1.0, 0.5 * (math.exp(-1) - 1)),  # alpha of 0.5
    "celu": (-1.0, 0.5 * (math.exp(-2) - 1)),
    "selu": (-1.0, 1.0507009873554805 * 1.6732632423543772 * (math.exp(-1) - 1)),
    "softplus": (-1.0, math.log(1 + math.exp(-1))),
    "log_sigmoid": (-1.0, -math.log(1 + math.e)),
    "mish": (-1.0, -math.tanh(math.log(1 + math.exp(-1)))),
    "softsign": (-3.0, -3 / 4),
    "tanh_shrink": (1.0, 1 - math.tanh(1)),
    "soft_shrink": (-2.0, -1.5),  # a threshold of 0.5
}
SETTINGS = {"elu": 0.5, "celu": 0.5}


def test_every_composition_is_here():
    assert set(COMPOSITIONS) == set(BY_HAND)


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_a_composition_is_the_function_of_keras(name):
    layer = ComposedFunction(name, SETTINGS.get(name))
    argument, value = BY_HAND[name]
    assert float(layer(np.float32([argument]))[0]) == pytest.approx(value, abs=1e-6)
    exact = COMPOSITIONS[name].exact(VALUES, layer.setting)
    np.testing.assert_allclose(layer(VALUES), exact, atol=2e-6)


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_on_int8_grids_it_is_near_and_learns_with_the_gradient_of_the_function(name):
    inputs = keras.Input((1,), name="in")
    layer = ComposedFunction(name, SETTINGS.get(name), name="f")
    prepared = prepare(keras.Model(inputs, layer(inputs)))
    calibrate(prepared, [VALUES])
    exact = COMPOSITIONS[name].exact(tf.constant(VALUES), layer.setting)
    made = prepared(VALUES)
    assert np.abs(made - exact).max() < 4 * np.ptp(exact) / 255
    inside = prepared.get_layer("f")
    assert len(inside._flatten_layers(include_self=False)) == len(COMPOSITIONS[name].grids)
    arguments = tf.constant(VALUES)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(arguments)
        simulated = inside(arguments)
        exact = COMPOSITIONS[name].exact(arguments, layer.setting)
    np.testing.assert_allclose(
        tape.gradient(simulated, arguments), tape.gradient(exact, arguments), atol=1e-6
    )


def test_its_configuration_makes_it_again():
    layer = ComposedFunction("soft_shrink", 0.25, name="shrink")
    again = ComposedFunction.from_config(layer.get_config())
    assert (again.function, again.setting, again.operators) == ("soft_shrink", 0.25, 3)
