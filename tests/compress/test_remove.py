"""The law of removal: the smaller model computes what the masked one does, whatever the network."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.support.networks import (
    NETWORKS,
    depth_multiplier,
    masked,
    outputs,
    random_inputs,
    randomized,
    resnet,
    tiny_lstm,
    unet,
)
from tests.support.quick import quick
from tinyprune.compress.coupling import coupling
from tinyprune.compress.fold import fold
from tinyprune.compress.kinds.base import kernels
from tinyprune.compress.prepare import calibrate, prepare
from tinyprune.compress.remove import carry, remove, remove_masks, without
from tinyprune.models import tinylstm

#: One network for each way in which units are coupled, without the larger ones.
SMALL = ("ds_cnn", "tiny_lstm", "siamese", "reshaped")
PREPARED = {build.__name__: build for build in (depth_multiplier, resnet, unet, tiny_lstm)}


def assert_masks_follow(removed: keras.Model, masks: dict[str, np.ndarray]) -> None:
    """What is left of the masks has the shapes of the kernels that are left, and no unit's zeros."""
    for key, mask in masks.items():
        layer, _, name = key.rpartition("/")
        assert mask.shape == kernels(removed.get_layer(layer))[name].shape
        assert mask.all()


@pytest.mark.parametrize("build", quick(NETWORKS, *SMALL))
def test_the_smaller_model_computes_what_the_masked_one_does(build):
    keras.backend.clear_session()
    for seed, density in enumerate((0.6, 0.3)):
        rng = np.random.default_rng(seed)
        model = randomized(build(), seed)
        found = coupling(model)
        keep = np.zeros(found.units, bool)
        for item in found.sets:
            keep[item.start + rng.permutation(item.size)[: max(1, int(density * item.size))]] = True
        removed, values = remove(model, found, keep), random_inputs(model, rng)
        whole = outputs(model, values)
        masked(model, found.masks(keep))
        assert_masks_follow(removed, remove_masks(found.masks(keep), found, keep))
        expected, actual = outputs(model, values), outputs(removed, values)
        assert [x.shape for x in actual] == [x.shape for x in whole]
        for ours, theirs in zip(actual, expected, strict=True):
            assert np.abs(ours - theirs).max() <= 1e-5 * max(1, np.abs(theirs).max())
        assert any(
            np.abs(x - y).max() > 1e-3 for x, y in zip(whole, expected, strict=True)
        )  # something was removed
        assert removed.count_params() < model.count_params()
        assert [x.name for x in removed.inputs] == [x.name for x in model.inputs]


@pytest.mark.parametrize("build", quick(NETWORKS, *SMALL))
def test_where_all_stays_the_model_is_equal(build):
    keras.backend.clear_session()
    model = randomized(build(), 0)
    found = coupling(model)
    same = remove(model, found, np.ones(found.units, bool))
    values = random_inputs(model, np.random.default_rng(0))
    for ours, theirs in zip(outputs(same, values), outputs(model, values), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert same.count_params() == model.count_params()
    assert all(mask.all() for mask in found.masks(np.ones(found.units, bool)).values())
    if not any(hasattr(layer, "layers") for layer in model.layers):
        names = [
            {x.name for x in y.layers if not isinstance(x, layers.InputLayer)}
            for y in (same, model)
        ]
        assert (names[0], same.name) == (names[1], model.name)
        assert (
            getattr(model, "output_names", same.output_names) == same.output_names
        )  # a Sequential has none


def test_parameters_are_those_counted_by_hand():
    model = tinylstm.build((None, 6), 6, units=16, hidden=8)
    found = coupling(model)
    assert [(item.name, item.size) for item in found.sets] == [
        ("lstm_1", 16),
        ("lstm_2", 16),
        ("dense", 8),
    ]
    keep = np.ones(16 + 16 + 8, bool)
    keep[[0, 5, 15]] = False  # 13 units of lstm_1 stay
    keep[16 + 3 : 16 + 9] = False  # 10 of lstm_2
    keep[-1] = False  # 7 of dense

    def parameters(first: int, second: int, hidden: int) -> int:
        lstm = 4 * first * (6 + first + 1) + 4 * second * (first + second + 1)
        return lstm + hidden * (second + 1) + 6 * (hidden + 1)

    assert model.count_params() == parameters(16, 16, 8)
    assert remove(model, found, keep).count_params() == parameters(16 - 3, 16 - 6, 8 - 1)


def test_a_removed_unit_is_the_one_asked_for():
    inputs = keras.Input((2,))
    model = keras.Model(inputs, layers.Dense(1, name="out")(layers.Dense(3, name="hidden")(inputs)))
    kernel, bias = np.arange(6, dtype=np.float32).reshape(2, 3), np.array([7, 8, 9], np.float32)
    model.set_weights([kernel, bias, np.array([[10], [11], [12]]), np.array([13])])
    small = remove(model, coupling(model), np.array([True, False, True]))
    cut = remove_masks(
        {"hidden/kernel": kernel % 2, "other/kernel": kernel},
        coupling(model),
        np.array([1, 0, 1]) > 0,
    )
    assert (cut["hidden/kernel"].tolist(), cut["other/kernel"].tolist()) == (
        [[0, 0], [1, 1]],
        kernel.tolist(),
    )
    expected = [[[0, 2], [3, 5]], [7, 9], [[10], [12]], [13]]
    for weight, values in zip(small.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(weight, values)
    assert model.get_layer("hidden").units == 3  # the model itself is as it was


def test_what_a_layer_derives_from_its_weights_is_derived_again():
    norm = layers.Normalization()
    norm.adapt(np.random.default_rng(0).normal(3, 2, (50, 4)))
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(1)(layers.Dense(5)(norm(inputs))))
    found, values = coupling(model), np.ones((2, 4), np.float32)
    same = remove(model, found, np.ones(5, bool))
    np.testing.assert_array_equal(same(values), model(values))


# --- while it trains
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quantized", quick({"float": False, "int8": True}, "int8"))
@pytest.mark.parametrize("build", quick(PREPARED, "depth_multiplier", "tiny_lstm"))
def test_a_prepared_model_carries_its_state_over(build, quantized):
    """Kernels, normalisers, ranges: the smaller prepared model computes what the larger does with those units shut."""
    keras.backend.clear_session()
    rng, model = np.random.default_rng(0), fold(randomized(build(), 0))
    units, values = coupling(model), random_inputs(model, np.random.default_rng(1))
    keep = rng.random(units.units) < 0.6
    for item in units.sets:
        keep[item.slice.stop - 1], keep[item.start] = False, True
    options = {"masked": False, "quantized": quantized, "normalised": True}
    old, new = prepare(model, **options), prepare(remove(model, units, keep), **options)
    calibrate(old, values)
    for (
        variable
    ) in old.trainable_variables:  # what has been learned since is in neither of the plain models
        variable.assign(variable.numpy() * rng.uniform(0.8, 1.2, variable.shape))
    carry(old, new, units, keep)
    for layer in new.layers:
        for mine, theirs in zip(layer.variables, old.get_layer(layer.name).variables, strict=True):
            assert mine.name == theirs.name
            assert mine.shape != theirs.shape or np.array_equal(mine, theirs)
    masked(old, units.masks(keep))
    expected, actual = outputs(old, values), outputs(new, values)
    for ours, theirs in zip(actual, expected, strict=True):
        assert np.abs(ours - theirs).max() <= (0.05 if quantized else 1e-5) * max(
            1, np.abs(theirs).max()
        )


def test_numbers_of_weights_lose_those_of_removed_units():
    """As an optimizer has them: of a kernel, of a bias, of a normaliser's channels, and one that is a scalar."""
    inputs = keras.Input((5, 5, 2))
    x = layers.PReLU(name="slope")(layers.Conv2D(3, 3, name="conv")(inputs))
    model = keras.Model(inputs, layers.Conv2D(2, 1, name="out")(x))
    units, keep = coupling(model), np.array([True, False, True])
    conv, out, slope = (model.get_layer(name) for name in ("conv", "out", "slope"))
    kernel, row = np.arange(3.0 * 3 * 2 * 3).reshape(3, 3, 2, 3), np.arange(3.0)
    np.testing.assert_array_equal(without(conv, "kernel", kernel, units, keep), kernel[..., [0, 2]])
    np.testing.assert_array_equal(without(conv, "bias", row, units, keep), [0, 2])
    np.testing.assert_array_equal(
        without(conv, "gain", row + 5, units, keep), [5, 7]
    )  # of its normaliser
    assert without(conv, "high", np.array(7.0), units, keep) == 7
    np.testing.assert_array_equal(
        without(out, "bias", np.ones(2), units, keep), np.ones(2)
    )  # an output of the network
    of_out = np.arange(6.0).reshape(1, 1, 3, 2)
    np.testing.assert_array_equal(without(out, "kernel", of_out, units, keep), of_out[:, :, [0, 2]])
    slopes = np.arange(27.0).reshape(3, 3, 3)
    np.testing.assert_array_equal(without(slope, "alpha", slopes, units, keep), slopes[..., [0, 2]])
