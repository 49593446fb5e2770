"""Weights that are no numbers, and networks of another precision than float32."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from tinyprune.errors import UsageError
from tinyprune.models.loading.own import load


def network() -> keras.Model:
    head = layers.Dense(2, activation="softmax", dtype="float32", name="head")
    convolution = layers.Conv1D(3, 2, name="conv")
    inner = keras.Sequential([keras.Input((4, 2)), convolution, layers.Flatten()], name="inner")
    return keras.Sequential([keras.Input((4, 2)), inner, head])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_no_number_is_refused_by_its_name(tmp_path: Path, value: float):
    model = network()
    weights = model.get_weights()
    weights[0][1, 0, 2] = value
    model.set_weights(weights)
    model.save(tmp_path / "broken.keras")
    with pytest.raises(
        UsageError, match=r"broken\.keras: 1 of 12 values of '.*conv/kernel' are NaN"
    ):
        load(str(tmp_path / "broken.keras"))


def test_a_network_of_mixed_precision_is_one_of_float32(tmp_path: Path):
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        mixed = network()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert mixed.get_layer("inner").get_layer("conv").compute_dtype == "float16"

    mixed.save(tmp_path / "mixed.keras")
    loaded = load(str(tmp_path / "mixed.keras"))
    convolution = loaded.get_layer("inner").get_layer("conv")
    assert convolution.compute_dtype == "float32"
    assert [weight.shape for weight in loaded.weights] == [(2, 2, 3), (3,), (9, 2), (2,)]
    for weight, expected in zip(loaded.get_weights(), mixed.get_weights(), strict=True):
        assert np.array_equal(weight, expected)


def test_an_input_of_bytes_takes_the_same_pixels_as_numbers(tmp_path: Path):
    pixels = keras.Input((4, 2), dtype="uint8")
    outputs = layers.Dense(2)(layers.Rescaling(1 / 255)(pixels))
    model = keras.Model(pixels, outputs)
    model.save(tmp_path / "bytes.keras")
    loaded = load(str(tmp_path / "bytes.keras"))
    assert loaded.inputs[0].dtype == "float32"
    values = np.arange(8, dtype=np.uint8).reshape(1, 4, 2)
    np.testing.assert_allclose(loaded(values.astype(np.float32)), model(values), atol=1e-6)
