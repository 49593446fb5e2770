"""Which units a graph couples, spelled out for small networks; that removal is right is tested in test_remove.py."""

import keras
import numpy as np
import pytest
from keras import layers

from tinyprune.compress.coupling import coupling
from tinyprune.errors import UsageError
from tinyprune.models import tinylstm
from tinyprune.sparsity.layout import Layout
from tinyprune.sparsity.unit_sets import UnitSet


def as_lists(vectors):
    return {key: ids.tolist() for key, ids in vectors.items()}


def sizes(model):
    return [(item.name, item.size) for item in coupling(model).sets]


def test_a_residual_stream_is_one_set():
    inputs = keras.Input((4, 4, 1))
    stem = layers.Conv2D(2, 3, padding="same", name="stem")(inputs)
    x = layers.Conv2D(3, 3, padding="same", name="inner")(stem)
    x = layers.Conv2D(2, 3, padding="same", name="outer")(layers.ReLU()(x))
    x = layers.BatchNormalization(name="norm")(layers.Add()([stem, x]))
    model = keras.Model(inputs, layers.Dense(2, name="logits")(layers.Flatten()(x)))
    found = coupling(model)
    assert found.sets == (UnitSet("stem", 0, 2), UnitSet("inner", 2, 3))
    assert as_lists(found.inputs) == {
        "stem/kernel": [-1],  # the input of the network
        "inner/kernel": [0, 1],
        "outer/kernel": [2, 3, 4],
        "logits/kernel": [0, 1] * (4 * 4),  # Flatten: channels are the fastest axis
    }
    assert as_lists(found.outputs) == {
        "stem/kernel": [0, 1],
        "inner/kernel": [2, 3, 4],
        "outer/kernel": [0, 1],  # added to the stem's
        "logits/kernel": [-1, -1],  # the output of the network
    }
    assert as_lists(found.channels) == {"norm": [0, 1]}
    assert set(found.layouts.values()) == {Layout.STANDARD}
    assert found.shapes["logits/kernel"] == (4 * 4 * 2, 2)


def test_an_lstm_unit_has_four_columns_and_a_recurrent_row():
    found = coupling(tinylstm.build((None, 3), 3, units=2, hidden=4))
    assert as_lists(found.inputs) == {
        "lstm_1/kernel": [-1] * 3,
        "lstm_1/recurrent_kernel": [0, 1],
        "lstm_2/kernel": [0, 1],
        "lstm_2/recurrent_kernel": [2, 3],
        "dense/kernel": [2, 3],
        "mask/kernel": [4, 5, 6, 7],
    }
    assert as_lists(found.outputs) == {
        "lstm_1/kernel": [0, 1] * 4,
        "lstm_1/recurrent_kernel": [0, 1] * 4,
        "lstm_2/kernel": [2, 3] * 4,
        "lstm_2/recurrent_kernel": [2, 3] * 4,
        "dense/kernel": [4, 5, 6, 7],
        "mask/kernel": [-1] * 3,
    }


def test_a_depthwise_layer_passes_its_channels_on():
    inputs = keras.Input((4, 4, 1))
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise")(
        layers.Conv2D(3, 1, name="conv")(inputs)
    )
    found = coupling(keras.Model(inputs, layers.Conv2DTranspose(2, 2, name="out")(x)))
    assert found.sets == (UnitSet("conv", 0, 3),)
    assert found.inputs["depthwise/kernel"].tolist() == [-1]
    assert found.outputs["depthwise/kernel"].tolist() == [0, 0, 1, 1, 2, 2]
    assert found.inputs["out/kernel"].tolist() == [0, 0, 1, 1, 2, 2]
    assert found.layouts["out/kernel"] is Layout.TRANSPOSED


def test_a_concatenation_that_is_added_to_divides_a_layer_into_two_sets():
    inputs = keras.Input((6,))
    left, right = layers.Dense(2, name="left")(inputs), layers.Dense(3, name="right")(inputs)
    x = layers.Add()(
        [layers.Concatenate()([left, right]), layers.Dense(2 + 3, name="both")(inputs)]
    )
    found = coupling(keras.Model(inputs, layers.Dense(1)(x)))
    assert found.sets == (UnitSet("left", 0, 2), UnitSet("right", 2, 3))
    assert found.outputs["both/kernel"].tolist() == [0, 1, 2, 3, 4]


def test_a_divided_axis_couples_its_parts():
    inputs = keras.Input((5,))
    x = layers.Reshape((4, 3), name="reshape")(layers.Dense(4 * 3, name="dense")(inputs))
    found = coupling(keras.Model(inputs, layers.Conv1D(1, 2)(x)))
    assert found.sets == (UnitSet("dense", 0, 3),)
    assert found.outputs["dense/kernel"].tolist() == [0, 1, 2] * 4
    assert found.channels["reshape"].tolist() == [0, 1, 2]


def test_a_layer_of_two_calls_reads_coupled_inputs():
    one, two = keras.Input((4,)), keras.Input((4,))
    towers = [layers.Dense(3, name=name)(x) for name, x in (("left", one), ("right", two))]
    shared, relu = layers.Dense(2, name="shared"), layers.ReLU()
    x = layers.Subtract()(
        [relu(shared(relu(tower))) for tower in towers]
    )  # one ReLU for 3 and for 2 channels
    found = coupling(keras.Model([one, two], layers.Dense(1)(x)))
    assert found.sets == (UnitSet("left", 0, 3), UnitSet("shared", 3, 2))
    assert (
        found.outputs["right/kernel"].tolist()
        == found.inputs["shared/kernel"].tolist()
        == [0, 1, 2]
    )


def test_nested_models_are_walked_through():
    body = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, name="a"), layers.Dense(2, name="b")]
    )
    inputs = keras.Input((5,))
    model = keras.Model(inputs, layers.Dense(1)(body(layers.Dense(4, name="first")(inputs))))
    assert sizes(model) == [("first", 4), ("a", 3), ("b", 2)]


class Doubled(layers.Layer):
    def call(self, x):
        return 2 * x


# What reads (6, 6, 4) or (36, 4), and why the channels before it all stay.
UNKNOWN = {
    "grouped": lambda x: layers.Conv2D(4, 1, groups=2)(x),
    "channels_first": lambda x: layers.UpSampling2D(data_format="channels_first")(x),
    "softmax": lambda x: layers.Softmax()(x),
    "softmax activation": lambda x: layers.Activation("softmax")(x),
    "softmax operation": lambda x: keras.ops.softmax(x),
    "layer norm": lambda x: layers.LayerNormalization()(x),
    "batch norm over rows": lambda x: layers.BatchNormalization(axis=1)(x),
    "own layer": lambda x: Doubled()(x),
    "own function": lambda x: layers.Activation(lambda value: value)(x),
    "one constant per channel": lambda x: x * np.ones(4, np.float32),
    "one scale per channel": lambda x: layers.Rescaling([1, 2, 3, 4])(x),
    "sum of channels": lambda x: keras.ops.sum(x, axis=(1, 3)),
    "channels moved": lambda x: layers.Permute((3, 1, 2))(x),
    "channels mixed with rows": lambda x: layers.Reshape((4 * 6, 6))(x),
    "rnn": lambda x: layers.SimpleRNN(3)(layers.Reshape((36, 4))(x)),
    "bidirectional": lambda x: layers.Bidirectional(layers.LSTM(3))(layers.Reshape((36, 4))(x)),
    "slice": lambda x: x[..., :2],
    "added to the input": lambda x: x + keras.ops.ones_like(x),
}


@pytest.mark.parametrize("tail", UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_not_understood_keeps_its_channels(tail):
    inputs = keras.Input((6, 6, 2))
    x = layers.Conv2D(5, 1, name="free")(inputs)
    x = tail(layers.Conv2D(4, 1, name="fixed")(x))
    model = keras.Model(inputs, layers.Dense(1)(layers.Dense(3, name="after")(x)))
    assert sizes(model) == [("free", 5), ("after", 3)]


def test_a_grouped_convolution_has_a_kernel_that_keeps_all():
    inputs = keras.Input((4, 4, 2))
    x = layers.Conv2D(6, 3, groups=2, name="grouped")(layers.Conv2D(4, 1, name="before")(inputs))
    found = coupling(keras.Model(inputs, layers.Dense(1)(layers.Dense(3)(x))))
    assert found.inputs["grouped/kernel"].tolist() == [-1] * (4 // 2)
    assert found.outputs["grouped/kernel"].tolist() == [-1] * 6
    assert found.outputs["before/kernel"].tolist() == [-1] * 4
    assert found.masks(np.zeros(3, bool))["grouped/kernel"].shape == (3, 3, 4 // 2, 6)


@pytest.mark.parametrize("masked_call", [0, 1])
def test_one_call_that_is_not_understood_keeps_what_all_calls_share(masked_call):
    inputs, mask = keras.Input((5, 3)), keras.Input((5,), dtype="bool")
    shared, calls = layers.LSTM(4, name="shared"), []
    for index in range(2):
        calls.append(shared(inputs, **({"mask": mask} if index == masked_call else {})))
    x = layers.Dense(2, name="free")(layers.Concatenate()(calls))
    assert sizes(keras.Model([inputs, mask], layers.Dense(1)(x))) == [("free", 2)]


def test_outputs_inside_the_network_stay():
    inputs = keras.Input((4,))
    hidden = layers.Dense(3, name="hidden")(inputs)
    x = layers.Dense(2, name="free")(layers.ReLU()(hidden))
    assert sizes(keras.Model(inputs, [layers.Dense(1)(x), hidden])) == [("free", 2)]


def test_what_is_added_to_an_input_stays():
    inputs = keras.Input((4,))
    x = inputs + layers.Dense(4)(layers.Dense(3, name="free")(inputs))
    assert sizes(keras.Model(inputs, layers.Dense(1)(x))) == [("free", 3)]


def test_softmax_inside_a_layer_keeps_its_units():
    inputs = keras.Input((4,))
    x = layers.Dense(3, activation="softmax")(layers.Dense(2, name="free")(inputs))
    assert sizes(keras.Model(inputs, layers.Dense(1)(x))) == [("free", 2)]


def test_a_model_with_nothing_to_remove_is_refused():
    inputs = keras.Input((4,))
    with pytest.raises(
        UsageError, match=r"^model 'bare' has no unit that can be removed: expected .*$"
    ):
        coupling(keras.Model(inputs, layers.Dense(3)(inputs), name="bare"))
    with pytest.raises(UsageError, match="'empty' has no unit"):
        coupling(keras.Model(inputs, layers.ReLU()(inputs), name="empty"))


def test_two_layers_of_one_name_are_refused():
    body = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="dense")])
    inputs = keras.Input((5,))
    model = keras.Model(inputs, body(layers.Dense(4, name="dense")(inputs)), name="twice")
    with pytest.raises(
        UsageError,
        match="^two layers of model 'twice' are named 'dense': give each a name of its own$",
    ):
        coupling(model)
