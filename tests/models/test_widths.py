"""Registered networks in other widths."""

import pytest

from tinyprune.errors import UsageError
from tinyprune.models.widths import sizes
from tinyprune.registry import MODELS


@pytest.mark.parametrize("name", MODELS)
def test_half_the_width_has_fewer_parameters_and_the_same_ends(name):
    build = MODELS[name]
    half = build(**sizes(build, name, 0.5))
    whole = build()
    assert half.count_params() < 0.6 * whole.count_params()
    assert half.output_shape == whole.output_shape
    assert half.input_shape == whole.input_shape


def test_numbers_are_multiples_of_eight_and_eight_at_least():
    """64 x 0.3 = 19.2, nearest multiple 16; 64 x 0.01 is less than 8. Of crn (16, 32, 48, 64) x 0.5."""
    assert sizes(MODELS["mlp"], "mlp", 0.3) == {"units": 16}
    assert sizes(MODELS["mlp"], "mlp", 0.01) == {"units": 8}
    assert sizes(MODELS["crn"], "crn", 0.5) == {"channels": (8, 16, 24, 32), "hidden": 64}
    assert sizes(MODELS["mobilenet_v2"], "mobilenet_v2", 0.5) == {"width": 0.5}
    assert sizes(MODELS["mlp"], "mlp", 1) == {}


def test_a_network_without_sizes_has_one_width():
    with pytest.raises(UsageError, match="model.width: fixed has one width only: expected 1, got"):
        sizes(lambda inputs, outputs: None, "fixed", 0.5)
