"""Resources as functions of kept units: exact with NumPy, differentiable with tensors, from the same code."""

import numpy as np
import pytest

from tinyprune.sparsity.network_shape import Channels, NetworkShape, OperatorShape, TensorShape
from tinyprune.sparsity.resource_model import NUMPY, ResourceModel, smooth_largest
from tinyprune.sparsity.unit_sets import UnitSet

SETS = (UnitSet("first", 0, 8), UnitSet("second", 8, 6))
FIXED = Channels(3, np.array([0.0, 0.0]))
FIRST, SECOND = Channels(0, np.array([1.0, 0.0])), Channels(0, np.array([0.0, 1.0]))


def network():
    """3x3 convolution to 8, another to 6, joined with a 1x1 of the first, a dense layer."""
    square, one = (10, 10), (1, 1)
    tensors = tuple(
        TensorShape(name, at, of)
        for name, at, of in (
            ("in", square, FIXED),
            ("a", square, FIRST),
            ("b", square, SECOND),
            ("c", square, SECOND),
            ("sum", square, SECOND),
            ("out", one, FIXED),
        )
    )
    operators = (
        OperatorShape("a", "conv", (0,), (1,), FIXED, FIRST, square, square, (3, 3), has_bias=True),
        OperatorShape(
            "b", "conv", (1,), (2,), FIRST, SECOND, square, square, (3, 3), has_bias=True
        ),
        OperatorShape("c", "conv", (1,), (3,), FIRST, SECOND, square, square),
        OperatorShape("sum", "add", (2, 3), (4,), SECOND, SECOND, square, square),
        OperatorShape(
            "out", "dense", (4,), (5,), Channels(0, np.array([0.0, 100.0])), FIXED, has_bias=True
        ),
    )
    return NetworkShape(tensors, operators, SETS, (0,), (5,))


def test_counts():
    model, kept = ResourceModel(network()), np.array([8.0, 6.0])
    weights = [3 * 8 * 9, 8 * 6 * 9, 8 * 6, 0, 600 * 3]
    assert model.size_bytes(kept) == sum(weights) + 4 * (8 + 6 + 3)
    assert model.macs(kept) == 100 * sum(weights[:3]) + weights[4]
    assert model.step_bytes(kept).tolist() == [
        100 * (3 + 8),
        100 * (8 + 6),
        100 * (8 + 6 + 6),  # the branch that is done waits for the other
        100 * (6 + 6 + 6),
        100 * 6 + 3,
    ]
    assert model.peak_bytes(kept) == 100 * 20


def test_the_peak_moves_as_units_go():
    model = ResourceModel(network())
    assert model.peak_bytes(np.array([8.0, 1.0])) == 100 * (3 + 8)
    assert model.peak_bytes(np.array([1.0, 6.0])) == 100 * (6 + 6 + 6)


def test_states_are_always_alive():
    shape = network()
    state = TensorShape("state", (1, 1), FIRST, 2, True)
    grown = NetworkShape(
        (*shape.tensors, state), shape.operators, SETS, shape.inputs, shape.outputs
    )
    kept = np.array([8.0, 6.0])
    assert (
        ResourceModel(grown).step_bytes(kept) == ResourceModel(shape).step_bytes(kept) + 2 * 8
    ).all()


def test_lstm_and_depthwise():
    operators = (
        OperatorShape("lstm", "lstm", (0,), (1,), FIXED, FIRST, has_bias=True),
        OperatorShape(
            "deep", "depthwise", (0,), (1,), FIRST, FIRST, (5, 5), (5, 5), (3, 3), has_bias=True
        ),
        OperatorShape(
            "up", "transposed", (0,), (1,), FIRST, SECOND, (5, 5), (10, 10), (2, 2), (2, 2)
        ),
    )
    model = ResourceModel(NetworkShape(network().tensors, operators, SETS, (0,), (1,)))
    kept = np.array([5.0, 4.0])
    lstm, deep, transposed = 4 * 5 * (3 + 5), 9 * 5, 4 * 5 * 4
    assert model.size_bytes(kept) == lstm + deep + transposed + 4 * (4 * 5 + 5)
    assert model.macs(kept) == lstm + 25 * deep + 25 * transposed


def test_gradients_are_those_of_differences():
    tf = pytest.importorskip("tensorflow")
    from tinyprune.compress.arrays import tensors

    model, kept = ResourceModel(network(), tensors(tau=1.0)), np.array([6.0, 4.0], np.float32)
    exact = ResourceModel(network(), NUMPY)
    for name in ("size_bytes", "macs", "peak_bytes"):
        variable = tf.Variable(kept)
        with tf.GradientTape() as tape:
            value = getattr(model, name)(variable)
        slope = tape.gradient(value, variable).numpy()
        for axis in range(2):
            step = np.eye(2)[axis] * 0.01
            wanted = (getattr(exact, name)(kept + step) - getattr(exact, name)(kept - step)) / 0.02
            assert slope[axis] == pytest.approx(wanted, rel=1e-2, abs=1e-3), (name, axis)
        assert float(value) == pytest.approx(getattr(exact, name)(kept), rel=1e-5)


def test_the_smooth_maximum_lies_just_above():
    from scipy.special import logsumexp

    x = np.array([100.0, 90.0, 100.0])
    for tau in (1.0, 10.0):
        assert 100 <= smooth_largest(logsumexp, tau)(x) <= 100 + tau * np.log(3)
