"""Scaling of the input: what it computes, how much of it goes into the kernel, and what is left."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from tinyprune.compress.fold import fold
from tinyprune.compress.input_scaling import input_scaling, without_factor

PIXELS = np.random.default_rng(0).uniform(0, 255, (2, 6, 6, 3)).astype(np.float32)
MOMENTS = {
    "mean": [120.0, 110.0, 100.0],
    "variance": [3600.0, 2500.0, 1600.0],
}  # deviations 60, 50, 40


def network(first: Sequence[Any], *rest: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((6, 6, 3)), *first, *rest])


def arithmetic() -> keras.Model:
    keras.utils.set_random_seed(0)
    pixels = keras.Input((6, 6, 3))
    return keras.Model(pixels, layers.Conv2D(4, 3)(1.0 - pixels / 127.5))


def embedded() -> keras.Model:
    inner = network([layers.Rescaling(1 / 255)], layers.Conv2D(4, 3, name="conv"))
    return network([inner], layers.Flatten(), layers.Dense(2))


CASES = {
    "one number": (
        lambda: network([layers.Rescaling(1 / 127.5, -1)], layers.Conv2D(4, 3)),
        1 / 127.5,
    ),
    "one per channel": (
        lambda: network([layers.Normalization(**MOMENTS)], layers.Conv2D(4, 3, use_bias=False)),
        1 / 40,
    ),
    "several": (
        lambda: network(
            [layers.Rescaling(1 / 255), layers.Rescaling(2, -1)], layers.SeparableConv2D(4, 3)
        ),
        2 / 255,
    ),
    "of every channel alone": (
        lambda: network(
            [layers.Normalization(**MOMENTS)], layers.DepthwiseConv2D(3, depth_multiplier=2)
        ),
        1 / 40,
    ),
    "flattened": (
        lambda: network([layers.Normalization(**MOMENTS)], layers.Flatten(), layers.Dense(4)),
        1 / 40,
    ),
    "padded, without an offset": (
        lambda: network([layers.Rescaling(1 / 255)], layers.Conv2D(4, 3, padding="same")),
        1 / 255,
    ),
    "behind a reshape": (
        lambda: network(
            [layers.Reshape((6, 18)), layers.Rescaling(1 / 255)], layers.Flatten(), layers.Dense(4)
        ),
        1 / 255,
    ),
    "arithmetic": (arithmetic, 1 / 127.5),
    "in a nested model": (embedded, 1 / 255),
}


@pytest.mark.parametrize("name", CASES)
def test_a_scaling_becomes_a_factor_and_then_nothing(name: str):
    build, factor = CASES[name]
    model = build()
    expected = model(PIXELS).numpy()
    canonical = fold(model)
    [rescaling] = [layer for layer in canonical.layers if isinstance(layer, layers.Rescaling)]
    assert rescaling.scale == pytest.approx(factor, rel=1e-6)
    assert rescaling.offset == 0
    np.testing.assert_allclose(canonical(PIXELS), expected, rtol=1e-4, atol=1e-4)

    exported = without_factor(canonical)
    assert input_scaling(exported) is None
    np.testing.assert_allclose(exported(PIXELS), expected, rtol=1e-4, atol=1e-4)


def test_the_canonical_form_is_its_own():
    canonical = fold(network([layers.Normalization(**MOMENTS)], layers.Conv2D(4, 3)))
    again = fold(canonical)
    for weight, other in zip(canonical.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)


def test_an_offset_stays_where_the_kernel_pads():
    """Zeros around -1 .. 1 are grey; around 0 .. 255 they would be black."""
    model = network(
        [layers.Rescaling(1 / 255), layers.Rescaling(2, -1, name="two")],
        layers.Conv2D(4, 3, padding="same"),
    )
    canonical = fold(model)
    scaling = input_scaling(canonical)
    assert scaling is not None and not scaling.is_taken_in
    np.testing.assert_allclose(scaling.step.scale, 2 / 255, rtol=1e-6)
    np.testing.assert_allclose(scaling.step.offset, -1, rtol=1e-6)
    np.testing.assert_allclose(canonical(PIXELS), model(PIXELS), atol=1e-5)
    assert without_factor(canonical) is canonical


def test_what_differs_between_positions_is_no_scaling():
    normalization = layers.Normalization(axis=(1, 2, 3))
    normalization.adapt(PIXELS)
    assert input_scaling(network([normalization], layers.Conv2D(4, 3))) is None
