"""What a training follows: the values of the resource models, and the gradient of a penalty above the limits."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support.quick import quick
from tests.support.small_models import NETWORKS, case
from tinyprune.budget.limits import SMOOTH, ModelledLimits
from tinyprune.compress.coupling import coupling
from tinyprune.compress.fold import fold
from tinyprune.compress.shapes import network_shape
from tinyprune.npu import targets
from tinyprune.npu.cost_model import CostModel
from tinyprune.npu.limits import Limit
from tinyprune.sparsity.network_shape import NetworkShape
from tinyprune.sparsity.resource_model import ResourceModel

TARGET, CLOCK = targets.resolve("ethos-u55-128"), 5e8
OF_NETWORK, OF_NPU = ("flash", "SRAM", "MACs"), ("flash", "SRAM", "MACs", "cycles", "latency")
_SHAPES: dict[str, NetworkShape] = {}


def shape(name: str) -> NetworkShape:
    if name not in _SHAPES:
        build, frames = NETWORKS[name]
        model = fold(build())
        _SHAPES[name] = network_shape(model, coupling(model), frames)
    return _SHAPES[name]


def limits(
    name: str, names=OF_NETWORK, target=None, most: float = 1.0, **options
) -> ModelledLimits:
    return ModelledLimits(
        [Limit(one, most) for one in names], shape(name), target, CLOCK, **options
    )


def some(name: str, share: float) -> np.ndarray:
    """A part of each set, not the same of all."""
    whole = shape(name).whole
    return np.maximum(1.0, whole * share * np.linspace(0.8, 1.1, len(whole)))


every_network = pytest.mark.parametrize("name", quick(["resnet8", "crn"], "resnet8"))


@every_network
@pytest.mark.parametrize("share", [1.0, 0.37])
def test_without_a_target_values_are_those_of_the_network(name, share):
    model, kept = ResourceModel(shape(name)), some(name, share)
    expected = [model.size_bytes(kept), model.peak_bytes(kept), model.macs(kept)]
    np.testing.assert_allclose(limits(name).values(kept), expected, rtol=1e-12)
    whole = shape(name).whole
    np.testing.assert_array_equal(
        limits(name).values(whole.astype(int)), limits(name).values(whole)
    )


@every_network
@pytest.mark.parametrize("share", [1.0, 0.37])
def test_with_a_target_values_are_those_of_its_cost_model(name, share):
    model, kept = CostModel(shape(name), TARGET), some(name, share)
    expected = [
        model.flash_bytes(kept),
        model.sram_bytes(kept),
        model.macs(kept),
        model.cycles(kept),
    ]
    found = limits(name, OF_NPU, TARGET).values(kept)
    np.testing.assert_allclose(found, [*expected, expected[-1] / CLOCK], rtol=1e-12)


def test_the_order_is_that_of_the_limits():
    kept = shape("ds_cnn").whole
    flash, sram, macs = limits("ds_cnn").values(kept)
    np.testing.assert_array_equal(limits("ds_cnn", ("MACs", "flash")).values(kept), [macs, flash])
    assert flash != sram != macs


def test_ratios_are_values_over_what_is_allowed():
    found = ModelledLimits([Limit("flash", 100.0), Limit("MACs", 1000.0)], shape("ds_cnn"))
    kept = shape("ds_cnn").whole
    np.testing.assert_allclose(found.ratios(kept), found.values(kept) / [100, 1000])


@pytest.mark.slow
def test_corrections_multiply_values_and_what_is_pulled():
    """Vela said half as much flash and a tenth more cycles."""
    factors, names, kept = np.array([0.5, 1.1]), ("flash", "cycles"), some("ds_cnn", 0.6)
    plain = limits("ds_cnn", names, TARGET)
    found = limits("ds_cnn", names, TARGET, corrections=factors)
    np.testing.assert_allclose(found.values(kept), plain.values(kept) * factors)
    strengths, allowed = np.ones(2), 0.9 * plain.values(kept)
    values, gradient = found.penalty_gradient(kept, strengths, allowed)
    np.testing.assert_allclose(
        values, plain.penalty_gradient(kept, strengths, allowed)[0] * factors, rtol=1e-6
    )
    assert (
        gradient.any()
    )  # flash is half of what it was, far below what is allowed, and pulls no more
    alone = limits("ds_cnn", ("cycles",), TARGET).penalty_gradient(kept, np.ones(1), allowed[1:])[1]
    np.testing.assert_allclose(gradient, alone, rtol=1e-5)
    found.corrections = np.array([0.1, 0.1])  # as BudgetCompression sets them after a compilation
    assert not found.penalty_gradient(kept, strengths, allowed)[1].any()


@every_network
@pytest.mark.parametrize("target", [None, TARGET], ids=["network", "npu"])
def test_nothing_pulls_under_the_limits(name, target):
    found, kept = limits(name, OF_NETWORK, target), some(name, 0.7)
    values, _ = found.penalty_gradient(kept, np.ones(3), np.full(3, 1e12))
    values, gradient = found.penalty_gradient(kept, np.full(3, 1e6), values * 1.001)
    assert gradient.shape == kept.shape
    assert not gradient.any()


@every_network
def test_above_a_limit_the_pull_is_the_slope_of_its_penalty(name):
    """By finite differences of the exact values, of which size and MACs have slopes everywhere."""
    found, kept = limits(name, ("flash", "MACs")), some(name, 0.6)
    strengths, allowed = np.array([2.0, 0.5]), found.values(kept) / [1.3, 1.7]

    def penalty(kept):
        return float(np.sum(strengths * np.maximum(0, np.log(found.values(kept) / allowed))))

    values, gradient = found.penalty_gradient(kept, strengths, allowed)
    np.testing.assert_allclose(values, found.values(kept), rtol=1e-6)
    for number in range(len(kept)):
        step = np.eye(len(kept))[number] * 1e-4 * kept[number]
        slope = (penalty(kept + step) - penalty(kept - step)) / (2 * step[number])
        assert gradient[number] == pytest.approx(slope, rel=1e-3)
        assert gradient[number] > 0


def test_a_limit_that_is_kept_adds_nothing_to_one_that_is_not():
    found, kept = limits("resnet8", ("flash", "MACs")), some("resnet8", 0.6)
    values = found.values(kept)
    both = found.penalty_gradient(kept, np.ones(2), values * [1.5, 0.5])[1]
    alone = limits("resnet8", ("MACs",)).penalty_gradient(kept, np.ones(1), values[1:] * 0.5)[1]
    np.testing.assert_allclose(both, alone, rtol=1e-6)


@pytest.mark.parametrize("target", [None, TARGET], ids=["network", "npu"])
@pytest.mark.parametrize("name", quick(["resnet8", "crn", "mobilenet_v2"], "resnet8"))
def test_the_smooth_peak_of_memory_is_near_the_exact_one(name, target):
    found, kept = limits(name, ("SRAM",), target), shape(name).whole
    [exact], [smooth] = found.values(kept), found.penalty_gradient(kept, np.ones(1), np.ones(1))[0]
    tau = max(1.0, SMOOTH * float(ResourceModel(shape(name)).peak_bytes(kept)))
    assert exact * (1 - 1e-6) <= smooth <= exact + tau * np.log(len(shape(name).operators))


@every_network
def test_the_peak_pulls_the_sets_that_hold_it_up(name):
    found, kept = limits(name, ("SRAM",)), shape(name).whole
    [values], gradient = found.penalty_gradient(kept, np.ones(1), np.ones(1))
    assert (gradient >= -1e-12).all()
    model = ResourceModel(shape(name))
    top = int(np.argmax(gradient * kept))
    fewer = kept.copy()
    fewer[top] = 1
    assert model.peak_bytes(fewer) <= model.peak_bytes(kept)
    assert (
        gradient[top] * kept[top] > 0.1
    )  # of d log(peak) / d log(kept), which all of its channels have 1 of
    assert values > 0


@pytest.mark.slow
def test_the_network_of_smaller_units_has_limits_of_its_own():
    """As after a removal: the shape of the smaller network, all of it kept, takes what the larger did with so few."""
    from tinyprune.compress.remove import remove

    model, units, keep, kept, frames = case("crn", 0)
    small = remove(model, units, keep)
    smaller = network_shape(small, coupling(small), frames)
    larger = ModelledLimits(
        [Limit("flash", 1.0), Limit("SRAM", 1.0), Limit("MACs", 1.0)],
        network_shape(model, units, frames),
    )
    own = ModelledLimits(larger.limits, smaller)
    np.testing.assert_allclose(own.values(smaller.whole), larger.values(kept), rtol=1e-9)


def test_a_network_in_which_nothing_can_go_is_not_pulled():
    from tinyprune.sparsity.unit_sets import only

    model = fold(NETWORKS["ds_cnn"][0]())
    fixed = network_shape(model, only(coupling(model), []))
    found = ModelledLimits([Limit("flash", 1.0)], fixed)
    assert found.values(np.zeros(0)) == pytest.approx(
        limits("ds_cnn", ("flash",)).values(shape("ds_cnn").whole)
    )
    assert found.penalty_gradient(np.zeros(0), np.ones(1), np.ones(1))[1].shape == (0,)
    assert tf.executing_eagerly()
