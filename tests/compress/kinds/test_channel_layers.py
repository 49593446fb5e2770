import keras
import numpy as np
import pytest
import tensorflow as tf

from tinyprune.compress.fold import fold
from tinyprune.compress.kinds.channel_layers import InverseRoot
from tinyprune.compress.prepare import calibrate, prepare
from tinyprune.export.tflite import convert
from tinyprune.tflite.interpreter import Int8Model

L = keras.layers


def test_the_root_of_0_is_the_largest_of_the_grid_and_has_no_gradient():
    root = InverseRoot(quantized=True)
    [grid] = root._flatten_layers(include_self=False)
    grid.high.assign(2.0)  # of 0.25
    values = tf.constant([0.0, 0.25, 4.0])
    with tf.GradientTape() as tape:
        tape.watch(values)
        roots = root(values)
    # d x^(-1/2) = -x^(-3/2) / 2: of 0.25 it is -4, of 4 -1/16.
    np.testing.assert_allclose(roots, [2, 2, 0.5], atol=1 / 255)
    np.testing.assert_allclose(tape.gradient(roots, values), [0, -4, -1 / 16])


def test_zeros_say_nothing_of_the_range():
    root = InverseRoot(quantized=True)
    [grid] = root._flatten_layers(include_self=False)
    for _ in range(3):
        root(tf.constant([0.0, 0.25, 4.0]), training=True)
    assert float(grid.high.value) == pytest.approx(2 * (1 - 0.99**3))  # moving average of 2


def test_litert_takes_the_largest_for_0_too(tmp_path):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, InverseRoot(name="root")(inputs))
    calibration = np.linspace(0.25, 4, 64, dtype=np.float32).reshape(16, 4)
    path = tmp_path / "root.tflite"
    path.write_bytes(convert(model, None, calibration))
    found = Int8Model(path).run(np.array([[0, 0.25, 1, 4]], np.float32))
    np.testing.assert_allclose(found.ravel(), [2, 2, 1, 0.5], atol=0.02)


@pytest.mark.parametrize("normalisation", [L.LayerNormalization, L.RMSNormalization])
def test_a_normalisation_of_silent_frames_stays_finite_on_int8_grids(normalisation):
    inputs = keras.Input((6, 8))
    model = fold(keras.Model(inputs, normalisation(name="norm")(L.Dense(8)(inputs))))
    prepared = prepare(model)
    values = np.random.default_rng(0).normal(size=(4, 6, 8)).astype(np.float32)
    calibrate(prepared, [values])
    values[:, ::2] = 0
    variables = [variable.value for variable in prepared.trainable_variables]
    with tf.GradientTape() as tape:
        outputs = prepared(values, training=True)
        loss = tf.reduce_sum(outputs**2)
    assert np.isfinite(outputs).all()
    assert all(np.isfinite(gradient).all() for gradient in tape.gradient(loss, variables))


def test_the_operation_of_keras_is_the_same():
    inputs = keras.Input((3,))
    prepared = prepare(keras.Model(inputs, keras.ops.rsqrt(inputs)))
    calibrate(prepared, [np.array([[0.25, 1, 4]], np.float32)])
    # 0.001 is less than half a step of the grid from 0 to 4.
    np.testing.assert_allclose(
        prepared(np.array([[0.001, 1, 4]], np.float32)), [[2, 1, 0.5]], atol=0.01
    )
