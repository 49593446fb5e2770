import keras
import numpy as np
import pytest

from tinyprune.compress.coupling import coupling
from tinyprune.compress.fold import fold
from tinyprune.compress.mask_updater import MaskUpdater, kept_units, read_masks
from tinyprune.compress.planning import plan
from tinyprune.compress.prepare import calibrate, prepare, strip
from tinyprune.compress.remove import remove
from tinyprune.config import MagnitudePruning

L = keras.layers
CHANNELS = 6
SHAPES = {"vectors": (CHANNELS,), "sequences": (5, CHANNELS), "images": (4, 3, CHANNELS)}


def network(shape: tuple[int, ...], **settings) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape)
    model = keras.Model(inputs, L.GroupNormalization(name="n", **settings)(inputs))
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return model


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("groups", [1, 2, -1])
def test_a_group_normalisation_in_parts_computes_the_same(shape, groups):
    if len(shape) == 1 and groups == -1:
        return  # each channel is its own mean: all outputs are beta
    model = network(shape, groups=groups)
    values = np.random.default_rng(1).normal(2, 3, (4, *shape)).astype(np.float32)
    canonical = fold(model)
    assert len(canonical.layers) > 6
    np.testing.assert_allclose(canonical(values), model(values), atol=2e-5)


def test_of_two_groups_by_hand():
    """(1, 3) and (5, 9): means 2 and 7, variances 1 and 4; with epsilon 0 they are -1, 1, -1, 1."""
    inputs = keras.Input((4,))
    layer = L.GroupNormalization(2, epsilon=0.0, center=False, scale=False)
    canonical = fold(keras.Model(inputs, layer(inputs)))
    np.testing.assert_allclose(canonical(np.float32([[1, 3, 5, 9]])), [[-1, 1, -1, 1]], atol=1e-5)


def test_the_mean_of_groups_of_one_channel_has_no_product():
    names = {layer.name for layer in fold(network((5, CHANNELS), groups=-1)).layers}
    assert "n_mean_positions" in names
    assert "n_mean" not in names


@pytest.mark.parametrize(
    ("shape", "settings"),
    [((4, 3, CHANNELS), {"groups": 2, "axis": 1}), ((2, 4, 3, CHANNELS), {"groups": 2})],
    ids=["along another axis", "of three axes"],
)
def test_what_has_no_such_form_stays(shape, settings):
    canonical = fold(network(shape, **settings))
    assert [type(layer) for layer in canonical.layers[1:]] == [L.GroupNormalization]


def convolutions(x):
    x = L.Conv2D(12, 3, name="first")(x)
    x = L.ReLU()(L.GroupNormalization(3, name="n")(x))
    return L.Dense(3)(L.GlobalAveragePooling2D()(L.Conv2D(8, 1, name="second")(x)))


def test_channels_of_a_group_go_for_good_and_the_others_compute_what_they_did():
    """The first convolution makes the units; the means of the groups only pass them on."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    model = fold(keras.Model(inputs, convolutions(inputs)))
    units = coupling(model)
    assert [(item.name, item.size) for item in units.sets] == [("first", 12), ("second", 8)]
    assert units.passing == {"n_mean/kernel", "n_variance/kernel"}
    found = plan(
        model,
        MagnitudePruning(
            importance="lamp", structure="unit", scope="layer", sparsity=0.5, round_to=2
        ),
    )
    prepared = prepare(model)
    MaskUpdater(prepared, found, 1, units).update(0)
    values = np.random.default_rng(1).normal(size=(8, 8, 8, 3)).astype(np.float32)
    calibrate(prepared, [values])
    plain = strip(prepared, model)
    smaller = remove(plain, units, kept_units(units, read_masks(prepared)))
    assert smaller.get_layer("n_mean").kernel.shape == (6, 6)
    # A third of the twelve channels is in each group, whichever of them stay.
    np.testing.assert_array_equal(np.unique(smaller.get_layer("n_mean").kernel), [0, 0.25])
    np.testing.assert_allclose(smaller(values), plain(values), atol=1e-4)
