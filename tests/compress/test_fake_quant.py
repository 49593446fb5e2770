import numpy as np
import pytest
import tensorflow as tf

from tinyprune.compress.fake_quant import MOMENTUM, FakeQuantize, Observe, fake_quantize_kernel


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def quantized(kernel: np.ndarray, axes: list[int]) -> np.ndarray:
    return fake_quantize_kernel(tf.constant(kernel), axes).numpy()


def tflite(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """TFLite's affine int8: ``real = scale * (int8 - zero_point)``, with a zero point that is a whole number."""
    scale = (high - low) / 255
    zero_point = np.round(-128 - low / scale)
    return scale * (np.clip(np.round(values / scale) + zero_point, -128, 127) - zero_point)


def test_a_kernel_has_at_most_255_values_symmetric_to_0():
    kernel = random(100, 100)
    found, scale = quantized(kernel, [0, 1]), np.abs(kernel).max() / 127
    steps = found / scale
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-4)
    assert len(np.unique(np.round(steps))) <= 2 * 127 + 1
    assert np.abs(np.round(steps)).max() == 127
    np.testing.assert_allclose(found, np.round(kernel / scale) * scale, atol=1e-6)


def test_each_channel_has_its_own_scale():
    kernel = random(50, 3) * np.float32([0.01, 1, 100])
    scales = np.abs(kernel).max(axis=0) / 127
    np.testing.assert_allclose(
        quantized(kernel, [0]), np.round(kernel / scales) * scales, rtol=1e-5, atol=1e-7
    )
    assert (
        np.abs(quantized(kernel, [0, 1])[:, 0]).max() == 0
    )  # one scale for all would lose the small channel


def test_the_error_is_at_most_half_a_step():
    kernel = random(64, 8)
    assert np.all(
        np.abs(quantized(kernel, [0]) - kernel) <= np.abs(kernel).max(axis=0) / 127 / 2 + 1e-6
    )


def test_zeros_stay_zeros():
    kernel = random(40, 5) * (np.arange(40 * 5).reshape(40, 5) % 3 > 0)
    assert np.all(quantized(kernel, [0])[kernel == 0] == 0)


def test_a_channel_of_zeros_stays_zero_and_finite():
    kernel = random(10, 3)
    kernel[:, 1] = 0
    found = quantized(kernel, [0])
    assert np.isfinite(found).all()
    assert np.all(found[:, 1] == 0)
    assert np.any(found[:, 2] != 0)


def test_what_is_on_the_grid_stays_there():
    once = quantized(random(30, 4), [0])
    np.testing.assert_allclose(quantized(once, [0]), once, rtol=1e-6)


def test_the_gradient_of_a_kernel_is_that_of_the_identity():
    kernel, upstream = tf.Variable(random(6, 4)), random(6, 4) + 2
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(fake_quantize_kernel(kernel, [0]) * upstream)
    np.testing.assert_array_equal(tape.gradient(loss, kernel), upstream)


def observing(observe: Observe, fixed: tuple[float, float] | None = None) -> FakeQuantize:
    layer = FakeQuantize(fixed=fixed)
    layer.observe = observe
    return layer


def bounds(layer: FakeQuantize) -> tuple[float, float]:
    return float(layer.low.numpy()), float(layer.high.numpy())


def test_training_follows_the_extremes_slowly():
    layer = observing(Observe.AVERAGE)
    layer(tf.constant([-2.0, 1.0, 4.0]), training=True)
    assert bounds(layer) == pytest.approx(((1 - MOMENTUM) * -2, (1 - MOMENTUM) * 4))
    layer(tf.constant([-1.0, 3.0]), training=True)
    expected = (MOMENTUM * (1 - MOMENTUM) * -2 + (1 - MOMENTUM) * -1, MOMENTUM * (1 - MOMENTUM) * 4)
    assert bounds(layer) == pytest.approx((expected[0], expected[1] + (1 - MOMENTUM) * 3))


def test_calibration_takes_the_extremes_at_once_and_changes_nothing():
    layer = observing(Observe.EXTREMES)
    for values in ([-2.0, 1.0, 4.0], [-1.0, 3.0], [-2.5, 0.0]):
        np.testing.assert_array_equal(layer(tf.constant(values)), np.float32(values))
    assert bounds(layer) == (-2.5, 4.0)


def test_inference_leaves_the_range_alone():
    layer = observing(Observe.EXTREMES)
    layer(tf.constant([-1.0, 1.0]))
    layer.observe = Observe.AVERAGE
    layer(tf.constant([-9.0, 9.0]), training=False)
    assert bounds(layer) == (-1, 1)


@pytest.mark.parametrize("observe", Observe)
@pytest.mark.parametrize(("values", "expected"), [([2.0, 3.0], (0, 3)), ([-3.0, -2.0], (-3, 0))])
def test_the_range_always_holds_0(values, expected, observe):
    layer = observing(observe)
    layer(tf.constant(values), training=True)
    part = 1 if observe is Observe.EXTREMES else 1 - MOMENTUM
    assert bounds(layer) == pytest.approx((expected[0] * part, expected[1] * part))


def test_reset_forgets_the_range_but_not_a_prescribed_one():
    layer, fixed = observing(Observe.EXTREMES), observing(Observe.EXTREMES, (0.0, 0.5))
    for each in (layer, fixed):
        each(tf.constant([-1.0, 1.0]))
        each.reset()
    assert bounds(layer) == (0, 0)
    assert bounds(fixed) == (0, 0.5)


@pytest.mark.parametrize(
    ("low", "high"), [(-1.0, 1.1), (-0.3, 2.9), (0.0, 6.0), (-4.0, 0.0), (0.0, 255 / 256)]
)
def test_int8_activations_are_tflites(low, high):
    layer = observing(Observe.AVERAGE, (low, high))
    rng, scale = np.random.default_rng(0), (high - low) / 255
    steps = rng.integers(-400, 400, 5000) + rng.uniform(
        -0.49, 0.49, 5000
    )  # none half way between two int8 values
    found = layer(tf.constant(scale * steps, tf.float32)).numpy()
    np.testing.assert_allclose(found, tflite(scale * steps, low, high), atol=1e-5)
    assert len(np.unique(found)) <= 256
    assert layer(tf.constant([0.0])).numpy()[0] == 0


def test_the_gradient_of_a_two_ended_grid_is_that_of_the_identity():
    layer, values = (
        observing(Observe.AVERAGE, (-1.0, 1.0)),
        tf.constant([-5.0, -0.4, 0.0, 0.3, 5.0]),
    )
    with tf.GradientTape() as tape:
        tape.watch(values)
        found = layer(values)
        total = tf.reduce_sum(found)
    np.testing.assert_allclose(found, [-1, -0.4, 0, 0.3, 1], atol=1 / 255)
    np.testing.assert_array_equal(tape.gradient(total, values), [1, 1, 1, 1, 1])


def test_the_gradient_of_a_positive_grid_is_that_of_the_relu_also_above_the_range():
    layer, values = FakeQuantize(positive=True), tf.constant([-5.0, -0.4, 0.0, 0.4, 5.0])
    layer.high.assign(1.0)
    with tf.GradientTape() as tape:
        tape.watch(values)
        found = layer(values)
        total = tf.reduce_sum(found)
    np.testing.assert_allclose(found, [0, 0, 0, 0.4, 1], atol=1e-6)
    np.testing.assert_array_equal(tape.gradient(total, values), [0, 0, 0, 1, 1])
