import keras
import pytest

from tinyprune.artifacts import LayerPlan
from tinyprune.compress.planning import plan
from tinyprune.errors import UsageError
from tinyprune.models.tinylstm import build

BANDS, UNITS, HIDDEN = 8, 6, 5


def test_every_kernel_of_the_network_is_in_the_plan():
    found = plan(build(BANDS, UNITS, HIDDEN), "weight", 0.8, "global", "polynomial")
    shapes = {
        "lstm_1/kernel": (BANDS, 4 * UNITS),
        "lstm_1/recurrent_kernel": (UNITS, 4 * UNITS),
        "lstm_2/kernel": (UNITS, 4 * UNITS),
        "lstm_2/recurrent_kernel": (UNITS, 4 * UNITS),
        "dense/kernel": (UNITS, HIDDEN),
        "mask/kernel": (HIDDEN, BANDS),
    }
    assert {item.key: item.shape for item in found.layers} == shapes
    assert [item.key for item in found.layers] == list(shapes)  # in the order of the network
    assert {item.key: item.groups for item in found.layers} == {
        key: rows * cols for key, (rows, cols) in shapes.items()
    }
    assert found.layers[0] == LayerPlan(
        "lstm_1", "kernel", (BANDS, 4 * UNITS), "weight", "magnitude", BANDS * 4 * UNITS, 0.8
    )
    assert (found.skipped, found.scope, found.schedule, found.sparsity) == ({}, "global", "polynomial", 0.8)


def test_what_is_left_alone_says_why():
    inputs = keras.Input((None, BANDS))
    x = keras.layers.Conv1D(4, 3, name="conv")(inputs)
    model = keras.Model(inputs, keras.layers.ReLU(name="relu")(keras.layers.Dense(3, name="dense")(x)))
    found = plan(model, "weight", 0.5, "layer", "constant")
    assert [item.key for item in found.layers] == ["dense/kernel"]
    assert list(found.skipped) == ["conv", "relu"]
    assert all(type(model.get_layer(name)).__name__ in reason for name, reason in found.skipped.items())


@pytest.mark.parametrize(
    ("structure", "schedule", "message"),
    [
        ("wait", "polynomial", "unknown structure 'wait': did you mean 'weight'"),
        ("weight", "linear", "unknown schedule 'linear'"),
    ],
)
def test_unknown_names_are_refused(structure, schedule, message):
    with pytest.raises(UsageError, match=message):
        plan(build(BANDS, UNITS, HIDDEN), structure, 0.5, "global", schedule)


def test_a_model_with_nothing_to_prune_is_refused():
    inputs = keras.Input((4,))
    with pytest.raises(UsageError, match=r"^model 'bare' has no layer to prune: expected Dense or LSTM layers$"):
        plan(keras.Model(inputs, keras.layers.ReLU()(inputs), name="bare"), "weight", 0.5, "global", "polynomial")
