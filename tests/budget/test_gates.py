"""Gates: what they compute, what they do to a network, and what becomes of them when units go."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support import networks
from tests.support.quick import quick
from tinyprune.budget.gates import CLOSED, Gates
from tinyprune.compress.coupling import coupling
from tinyprune.compress.fold import fold
from tinyprune.compress.kinds.base import kernels
from tinyprune.compress.prepare import compressed_layers, prepare
from tinyprune.compress.remove import remove
from tinyprune.sparsity.unit_sets import Coupling, UnitSet, only

#: One of each layout, residual sums, concatenations, branches, recurrence.
BUILDS = (
    networks.flatten_mlp,
    networks.depth_multiplier,
    networks.resnet,
    networks.unet,
    networks.tiny_lstm,
    networks.tcn,
)
BY_NAME = {build.__name__: build for build in BUILDS}
every_network = pytest.mark.parametrize(
    "build", quick(BY_NAME, "flatten_mlp", "depth_multiplier", "tiny_lstm")
)


DIFFERENTIATED = {name: BY_NAME[name] for name in ("depth_multiplier", "tiny_lstm", "unet")}


def sets(*sizes: int) -> Coupling:
    """A coupling of nothing but sets "0", "1", ... of these sizes."""
    starts = np.cumsum([0, *sizes])
    return Coupling(
        tuple(UnitSet(str(i), int(starts[i]), size) for i, size in enumerate(sizes)), {}, {}, {}, {}
    )


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def gated(build, temperature: float = 0.1):
    """A canonical network of random weights, its coupling, its prepared copy and the gates that this is read through"""
    keras.backend.clear_session()
    model = fold(networks.randomized(build(), 0))
    units = coupling(model)
    prepared, gates = (
        prepare(model, masked=False, quantized=False),
        Gates(units, temperature=temperature),
    )
    gates.attach(prepared)
    return model, units, prepared, gates


def set_shares(gates: Gates, *shares: float) -> None:
    gates.share.assign(np.array(shares, np.float32))


# --- the formula
# ------------------------------------------------------------------------------------------------------


def test_gates_are_the_formula():
    gates = Gates(sets(5, 20), temperature=0.25)
    set_shares(gates, 0.5, 0.3)
    gates.rank(np.concatenate([[3, 1, 5, 2, 4], np.arange(20)]))
    ranks = [2, 4, 0, 3, 1], np.arange(20)[::-1]
    expected = [
        *sigmoid((0.5 * 5 - np.array(ranks[0]) - 0.5) / (0.25 * 5)),
        *sigmoid((0.3 * 20 - np.array(ranks[1]) - 0.5) / (0.25 * 20)),
    ]
    np.testing.assert_allclose(gates.values(), expected, rtol=1e-5)
    np.testing.assert_allclose(gates.kept(), [sum(expected[:5]), sum(expected[5:])], rtol=1e-5)


def test_a_cold_gate_is_open_or_closed_and_no_colder_than_that():
    gates = Gates(sets(8), temperature=0.0)
    set_shares(gates, 5 / 8)
    values = gates.values().numpy()
    np.testing.assert_allclose(values, sigmoid((5 - np.arange(8) - 0.5) / 0.1), rtol=1e-4)
    assert (values[:5] > 1 - CLOSED).all()
    assert (values[5:] < CLOSED).all()


@pytest.mark.parametrize("temperature", [0.02, 0.05, 0.1])
def test_the_gates_of_a_set_add_up_to_its_share(temperature):
    gates = Gates(sets(40, 100), temperature=temperature)
    for share in (0.5, 0.55, 0.61):  # so far from both ends that neither cuts the step off
        set_shares(gates, share, 1 - share)
        np.testing.assert_allclose(gates.kept(), [40 * share, 100 * (1 - share)], rtol=0.02)


@pytest.mark.parametrize("temperature", [0.0, 0.1, 0.5])
def test_gates_are_open_at_first(temperature):
    gates = Gates(sets(1, 3, 64), temperature=temperature)
    assert (gates.values().numpy() > 1 - CLOSED).all()
    assert gates.open_units(1).all()


def test_what_the_budget_asks_for_acts_at_once_and_with_the_slope_of_hard_gates():
    gates = Gates(sets(10, 4))
    set_shares(gates, 0.35, 0.5)
    gates.rate.assign(0.01)
    gates.largest_step.assign(1.0)
    gates.learn(tf.zeros(2), tf.zeros(14), tf.constant([0.5, -1.0]))
    np.testing.assert_allclose(
        gates.share, [0.35 - 0.01 * 0.5 * 10, 0.5 + 0.01 * 1.0 * 4], rtol=1e-6
    )


def test_the_derivative_by_the_share_is_large_at_the_border():
    gates = Gates(sets(10), temperature=0.1)
    set_shares(gates, 0.6)
    with tf.GradientTape() as tape:
        values = gates.values()
    by_share = tape.jacobian(values, gates.share).numpy()[:, 0]
    gate = values.numpy()
    np.testing.assert_allclose(by_share, gate * (1 - gate) * 10 / (0.1 * 10), rtol=1e-4)
    assert set(np.argsort(by_share)[-2:]) == {5, 6}
    assert by_share[0] < 0.05 * by_share.max()


def test_what_is_missed_is_the_worth_of_what_is_not_open():
    gates = Gates(sets(4), temperature=0.1)
    gates.importance.assign([4.0, 3.0, 2.0, 1.0])
    set_shares(gates, 0.5)
    gate = sigmoid((0.5 * 4 - np.arange(4) - 0.5) / (0.1 * 4))
    assert float(gates.expected_loss()) == pytest.approx(
        np.sum([4, 3, 2, 1] * (1 - gate) ** 2) / 2, rel=1e-5
    )


# --- in a network
# -----------------------------------------------------------------------------------------------------


@every_network
def test_a_network_with_open_gates_is_the_network(build):
    model, _, prepared, _ = gated(build, temperature=0.02)
    values = networks.random_inputs(model, np.random.default_rng(0))
    for ours, theirs in zip(
        networks.outputs(prepared, values), networks.outputs(model, values), strict=True
    ):
        assert np.abs(ours - theirs).max() <= 0.02 * max(1, np.abs(theirs).max())


@every_network
def test_closed_gates_are_the_masked_network_and_the_smaller_one(build, monkeypatch):
    model, units, prepared, gates = gated(build)
    rng = np.random.default_rng(0)
    keep = rng.random(units.units) < 0.6
    for item in units.sets:
        keep[item.slice.stop - 1], keep[item.start] = False, True
    monkeypatch.setattr(gates, "values", lambda: tf.constant(keep, tf.float32))
    values = networks.random_inputs(model, rng)
    found, smaller = (
        networks.outputs(prepared, values),
        networks.outputs(remove(model, units, keep), values),
    )
    whole = networks.outputs(model, values)
    networks.masked(model, units.masks(keep))
    for ours, masked, small in zip(found, networks.outputs(model, values), smaller, strict=True):
        scale = max(1, np.abs(masked).max())
        assert np.abs(ours - masked).max() <= 1e-5 * scale
        assert np.abs(ours - small).max() <= 1e-5 * scale
    assert any(
        np.abs(x - y).max() > 1e-3 for x, y in zip(found, whole, strict=True)
    )  # something was closed


@every_network
def test_every_kernel_that_reads_units_has_gates_of_its_shape(build):
    _, units, prepared, _ = gated(build)
    for layer in compressed_layers(prepared):
        for name, kernel in kernels(layer).items():
            key = f"{layer.name}/{name}"
            assert (name in layer.gates) == (units.inputs[key] >= 0).any()
            if name in layer.gates:
                factor = layer.gates[name]()
                assert len(factor.shape) == len(kernel.shape)
                assert layer.effective(name).shape == kernel.shape
                assert sorted(set(factor.shape)) in (
                    [1, len(units.inputs[key])],
                    [len(units.inputs[key])],
                    [1],
                )


def test_sets_that_may_not_lose_units_have_no_gates():
    model = fold(networks.randomized(networks.resnet(), 0))
    units = coupling(model)
    some = only(units, [units.sets[0].name])
    prepared, gates = prepare(model, masked=False, quantized=False), Gates(some)
    gates.attach(prepared)
    assert gates.kept().shape == (1,)
    set_shares(gates, 0.5)
    values = networks.random_inputs(model, np.random.default_rng(0))
    assert (
        np.abs(networks.outputs(prepared, values)[0] - networks.outputs(model, values)[0]).max()
        > 1e-3
    )
    none, plain = Gates(only(units, [])), prepare(model, masked=False, quantized=False)
    none.attach(plain)
    assert none.kept().shape == (0,)
    assert not any(layer.gates for layer in compressed_layers(plain))
    none.rank()
    none.set_temperature(0.0, 1)
    assert none.open_units(1).shape == none.most_important(np.zeros(0, np.int64)).shape == (0,)


@pytest.mark.parametrize("build", quick(DIFFERENTIATED, "depth_multiplier"))
def test_gradients_of_share_and_gate_are_those_of_finite_differences(build):
    model, _, prepared, gates = gated(build)
    set_shares(gates, *np.linspace(0.5, 0.7, len(gates.sizes)))
    values = networks.random_inputs(model, np.random.default_rng(0))[0]

    def loss() -> tf.Tensor:
        return 100 * tf.reduce_mean(prepared(values, training=False) ** 2)

    with tf.GradientTape() as tape:
        found = loss()
    slopes = tape.gradient(found, [gates.share, gates.probe])
    for variable, slope, step in zip((gates.share, gates.probe), slopes, (2e-3, 2e-2), strict=True):
        for number in range(0, len(slope), max(1, len(slope) // 6)):
            at, there = variable.numpy(), []
            for sign in (1, -1):
                variable.assign(at + sign * step * np.eye(len(at), dtype=np.float32)[number])
                there.append(float(loss()))
            variable.assign(at)
            expected = (there[0] - there[1]) / (2 * step)
            near = 0.01 * float(np.abs(slope).max())
            assert float(slope[number]) == pytest.approx(expected, rel=0.03, abs=near)
    assert np.abs(slopes[0]).min() > 0


def test_the_probe_feels_the_task_and_not_the_budget():
    """What a unit is worth is a matter of the loss alone, however hard the budget pulls."""
    _, _, _, gates = gated(networks.depth_multiplier)
    gates.importance.assign(tf.ones_like(gates.importance))
    set_shares(gates, *[0.5] * len(gates.sizes))
    with tf.GradientTape() as tape:
        pull = tf.reduce_sum(gates.kept()) + gates.expected_loss()
    by_share, by_gate = tape.gradient(
        pull, [gates.share, gates.probe], unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    assert np.abs(by_share).min() > 0
    assert not by_gate.numpy().any()


# --- what they learn
# --------------------------------------------------------------------------------------------------


def test_worth_is_a_moving_average_of_squared_derivatives():
    gates, expected = Gates(sets(2, 1)), np.zeros(3)
    for step in range(3):
        by_gate = np.array([1.0, -2.0, 0.5]) * (step + 1)
        gates.learn(tf.zeros(2), tf.constant(by_gate, tf.float32), tf.zeros(2))
        expected = 0.98 * expected + (1 - 0.98) * by_gate**2
    np.testing.assert_allclose(gates.importance, expected, rtol=1e-5)


def test_shares_go_down_the_mean_derivative():
    gates = Gates(sets(4, 4, 4))
    set_shares(gates, 0.5, 0.5, 0.5)
    gates.learn(tf.constant([1.0, -1.0, 0.0]), tf.zeros(12), tf.zeros(3))
    assert gates.share.numpy().tolist() == [0.5, 0.5, 0.5]  # the rate is 0 at first
    gates.rate.assign(0.1)
    gates.largest_step.assign(0.02)
    moved = 0.0
    for step in range(2, 7):
        gates.learn(tf.constant([1.0, -1.0, 0.0]), tf.zeros(12), tf.zeros(3))
        moved += min(0.1 * (1 - 0.9**step), 0.02)  # a moving average that began at 0
        np.testing.assert_allclose(gates.share, [0.5 - moved, 0.5 + moved, 0.5], rtol=1e-5)


def test_shares_stay_between_the_ends_while_they_learn():
    gates = Gates(sets(8, 8), temperature=0.05)
    gates.set_temperature(0.05, least=2)
    gates.rate.assign(10.0)
    gates.largest_step.assign(0.3)
    widest = gates.share.numpy().copy()
    for _ in range(20):
        gates.learn(tf.constant([1.0, -1.0]), tf.zeros(16), tf.zeros(2))
    assert gates.share.numpy().tolist() == pytest.approx([2 / 8, float(widest[1])])


def test_without_any_derivative_nothing_moves():
    gates = Gates(sets(3))
    gates.rate.assign(0.1)
    gates.largest_step.assign(0.1)
    before = gates.share.numpy()
    gates.learn(tf.zeros(1), tf.zeros(3), tf.zeros(1))
    np.testing.assert_array_equal(gates.share, before)


def test_units_are_ranked_by_worth_within_their_set():
    gates = Gates(sets(3, 4), temperature=0.0)
    gates.importance.assign([1.0, 3.0, 2.0, 5.0, 0.0, 5.0, 7.0])
    gates.rank()
    best = gates.most_important(np.array([2, 3]))
    assert np.flatnonzero(best).tolist() == [1, 2, 3, 5, 6]
    assert np.flatnonzero(gates.most_important(np.array([1, 2]))).tolist() == [
        1,
        3,
        6,
    ]  # of equals the first
    assert gates.removed_importance(np.array([1, 2])).tolist() == [1 + 2, 0 + 5]
    assert gates.removed_importance(np.array([3, 4])).tolist() == [0, 0]
    set_shares(gates, 2 / 3, 1 / 4)
    assert np.flatnonzero(gates.values().numpy() > 0.5).tolist() == [1, 2, 6]


def test_alive_are_open_gates_and_a_reserve():
    """Of 5 open gates 1.1 * 5 + 1 = 6.5, so ranks 0 to 6; closed gates are not quite 0, so of none two, not one."""
    gates = Gates(sets(8, 4, 2), temperature=0.0)
    gates.rank(
        np.array([*range(8), *range(4), *range(2)], float)
    )  # the last of each set is its best
    set_shares(gates, 5 / 8, 0.0, 0.0)
    assert np.flatnonzero(gates.open_units(1)).tolist() == [
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8 + 2,
        8 + 3,
        12,
        13,
    ]
    assert gates.open_units(3).all()


def test_cooling_keeps_shares_between_the_least_and_all():
    gates = Gates(sets(8, 16, 2), temperature=0.1)
    set_shares(gates, -3.0, 9.0, 0.4)
    gates.set_temperature(0.05, least=4)
    assert float(gates.temperature) == pytest.approx(0.05)
    low, high, small = gates.share.numpy()
    assert low == pytest.approx(4 / 8)
    assert small == pytest.approx(1.0)  # of two units, both stay
    assert high > 1
    assert (gates.values().numpy()[8 : 8 + 16] > 1 - CLOSED).all()
    share = np.float32(0.7)
    set_shares(gates, share, share, 1.0)
    gates.set_temperature(0.0, least=4)
    assert gates.share.numpy()[:2].tolist() == [share, share]  # what is between them stays as it is


# --- when units go
# ----------------------------------------------------------------------------------------------------


def test_the_gates_of_what_is_left_are_what_they_were():
    rng, units = np.random.default_rng(0), sets(10, 6)
    gates = Gates(units, temperature=0.05)
    gates.rate.assign(0.02)
    gates.largest_step.assign(0.03)
    for _ in range(3):
        gates.learn(
            tf.constant(rng.normal(size=2), tf.float32),
            tf.constant(rng.normal(size=16), tf.float32),
            tf.zeros(2),
        )
    gates.rank()
    set_shares(gates, 0.55, 0.4)
    keep = gates.most_important(np.array([7, 4]))
    smaller = gates.restricted(sets(7, 4), keep)
    np.testing.assert_allclose(smaller.values(), gates.values().numpy()[keep], rtol=1e-6)
    np.testing.assert_array_equal(smaller.importance, gates.importance.numpy()[keep])
    np.testing.assert_array_equal(smaller.share, gates.share)
    assert smaller.sizes.tolist() == [10, 6]  # a share is one of what there was at first
    for name in ("temperature", "rate", "largest_step"):
        assert float(getattr(smaller, name)) == float(getattr(gates, name)) > 0
    for each in (smaller, gates):  # and they learn on as they would have
        each.learn(tf.zeros(2), tf.zeros(each.coupling.units), tf.zeros(2))
    assert not np.array_equal(gates.share, [0.55, 0.4])
    np.testing.assert_allclose(smaller.share, gates.share, rtol=1e-6)
    for counts in ([3, 2], [7, 1]):
        assert np.array_equal(
            smaller.most_important(np.array(counts)), gates.most_important(np.array(counts))[keep]
        )
    assert [one.shape for one in smaller.variables] != [one.shape for one in gates.variables]


def test_units_that_go_from_the_middle_leave_no_hole_in_the_ranks():
    gates = Gates(sets(5), temperature=0.0)
    gates.rank(np.array([1.0, 5.0, 2.0, 4.0, 3.0]))
    smaller = gates.restricted(sets(3), np.array([True, False, False, True, True]))
    assert smaller.most_important(np.array([1])).tolist() == [False, True, False]
    assert smaller.most_important(np.array([2])).tolist() == [False, True, True]


def test_a_smaller_network_opens_no_further_than_it_has_units():
    gates = Gates(sets(10), temperature=0.1)
    smaller = gates.restricted(sets(4), gates.most_important(np.array([4])))
    smaller.set_temperature(0.0, least=1)
    assert (smaller.values().numpy() > 1 - CLOSED).all()
    assert float(smaller.share[0]) * 10 == pytest.approx(4, abs=0.1 * np.log(1 / CLOSED - 1) + 1e-4)


def test_what_a_checkpoint_has_is_all_that_matters():
    rng = np.random.default_rng(0)
    gates, copy = Gates(sets(6, 3)), Gates(sets(6, 3))
    gates.rate.assign(0.05)
    gates.largest_step.assign(0.1)
    gates.learn(tf.constant([1.0, -2.0]), tf.constant(rng.normal(size=9), tf.float32), tf.zeros(2))
    gates.rank()
    gates.set_temperature(0.03, 1)
    for mine, theirs in zip(copy.variables, gates.variables, strict=True):
        mine.assign(theirs)
    for each in (gates, copy):
        each.learn(tf.constant([0.5, 0.5]), tf.constant(np.arange(9.0), tf.float32), tf.zeros(2))
        each.rank()
    np.testing.assert_array_equal(copy.values(), gates.values())
    np.testing.assert_array_equal(copy.importance, gates.importance)
