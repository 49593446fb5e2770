"""The canonical form computes what the network did, and holds what TFLite will make of it."""

import keras
import numpy as np
import pytest

from tinyprune.compress.coupling import coupling
from tinyprune.compress.fold import fold
from tinyprune.compress.kinds.lookup import activation
from tinyprune.errors import UsageError

L = keras.layers
IMAGES = np.random.default_rng(0).normal(size=(3, 8, 8, 3)).astype(np.float32)
SEQUENCES = np.random.default_rng(0).normal(size=(3, 10, 3)).astype(np.float32)
VECTORS = np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)


def randomised(model: keras.Model) -> keras.Model:
    """All weights random, statistics of BatchNorms too; variances positive, gains of either sign."""
    rng = np.random.default_rng(1)
    for variable in model.weights:
        low, high = (0.3, 2.0) if "variance" in variable.path else (-1.0, 1.0)
        variable.assign(rng.uniform(low, high, variable.shape))
    return model


def line(values: np.ndarray, *layers: keras.layers.Layer, name: str = "line") -> keras.Model:
    return randomised(keras.Sequential([keras.Input(values.shape[1:]), *layers], name=name))


def same(model: keras.Model, values: np.ndarray) -> keras.Model:
    """The folded model, after a look that it computes the same."""
    before, folded = model.get_weights(), fold(model)
    expected, found = keras.tree.flatten(model(values)), keras.tree.flatten(folded(values))
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-5 * max(1, np.abs(one).max()))
    for mine, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)  # the model itself is left alone
    return folded


def names(model: keras.Model) -> list[str]:
    return [layer.name for layer in model.layers if not isinstance(layer, L.InputLayer)]


KERNELS = {
    "dense": (VECTORS, lambda **config: L.Dense(5, **config)),
    "dense on sequences": (SEQUENCES, lambda **config: L.Dense(5, **config)),
    "conv1d": (
        SEQUENCES,
        lambda **config: L.Conv1D(5, 3, padding="causal", dilation_rate=2, **config),
    ),
    "conv2d": (IMAGES, lambda **config: L.Conv2D(5, 3, strides=2, padding="same", **config)),
    "depthwise": (IMAGES, lambda **config: L.DepthwiseConv2D(3, depth_multiplier=2, **config)),
    "transpose": (
        IMAGES,
        lambda **config: L.Conv2DTranspose(5, 3, strides=2, padding="same", **config),
    ),
    "transpose along time": (
        SEQUENCES,
        lambda **config: L.Conv1DTranspose(5, 3, strides=2, padding="same", **config),
    ),
    "grouped": (IMAGES, lambda **config: L.Conv2D(6, 3, groups=3, **config)),
}


@pytest.mark.parametrize("use_bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("kind", KERNELS)
def test_batch_norm_goes_into_the_kernel_before_it(kind, use_bias):
    values, layer = KERNELS[kind]
    folded = same(line(values, layer(name="k", use_bias=use_bias), L.BatchNormalization()), values)
    assert names(folded) == ["k"]
    assert folded.get_layer("k").use_bias


@pytest.mark.parametrize("scale", [True, False], ids=["gamma", "no gamma"])
@pytest.mark.parametrize("center", [True, False], ids=["beta", "no beta"])
def test_batch_norm_without_gain_or_shift(scale, center):
    norm = L.BatchNormalization(scale=scale, center=center, epsilon=0.1)
    assert names(same(line(IMAGES, L.Conv2D(4, 3, name="k"), norm), IMAGES)) == ["k"]


def test_the_formula_in_numbers():
    model = line(VECTORS[:, :1], L.Dense(1, name="k"), L.BatchNormalization(epsilon=1.0))
    dense, norm = model.layers
    for variable, value in zip(
        [*dense.weights, *norm.weights], ([[2]], [3], [4], [5], [6], [8]), strict=True
    ):
        variable.assign(np.float32(value))  # k, b, gamma, beta, mean, variance
    kernel, bias = fold(model).get_layer("k").get_weights()
    assert kernel.item() == pytest.approx(2 * 4 / (8 + 1) ** 0.5)
    assert bias.item() == pytest.approx((3 - 6) * 4 / (8 + 1) ** 0.5 + 5)


def test_two_batch_norms_and_an_activation_all_go_in():
    layers = [L.Conv2D(4, 3, name="k"), L.BatchNormalization(), L.BatchNormalization(), L.ReLU(6)]
    folded = same(line(IMAGES, *layers), IMAGES)
    assert names(folded) == ["k"]
    assert folded.get_layer("k").activation is keras.activations.relu6


def test_batch_norm_along_another_axis_stays():
    folded = same(
        line(IMAGES, L.Conv2D(4, 3, name="k"), L.BatchNormalization(axis=1, name="bn")), IMAGES
    )
    assert names(folded) == ["k", "bn"]


@pytest.mark.parametrize("where", ["first", "after a fused activation", "after pooling"])
def test_batch_norm_with_no_kernel_just_before_it_stays(where):
    before = {
        "first": [],
        "after a fused activation": [L.Conv2D(4, 3, activation="relu", name="k")],
        "after pooling": [L.Conv2D(4, 3, name="k"), L.MaxPooling2D(name="pool")],
    }[where]
    folded = same(line(IMAGES, *before, L.BatchNormalization(name="bn")), IMAGES)
    assert names(folded) == [*(layer.name for layer in before), "bn"]


def test_what_follows_an_activation_does_not_go_in():
    """Conv -> ReLU -> BatchNorm is not Conv -> BatchNorm -> ReLU."""
    folded = same(
        line(IMAGES, L.Conv2D(4, 3, name="k"), L.ReLU(), L.BatchNormalization(name="bn")), IMAGES
    )
    assert names(folded) == ["k", "bn"]
    assert folded.get_layer("k").activation is keras.activations.relu


def test_a_kernel_that_is_used_twice_takes_nothing_in():
    inputs, shared = keras.Input((6,)), L.Dense(6, name="shared")
    x = L.BatchNormalization(name="bn")(shared(L.ReLU(name="relu")(shared(inputs))))
    folded = same(randomised(keras.Model(inputs, x)), VECTORS)
    assert names(folded) == ["shared", "relu", "bn"]


def test_an_activation_or_batch_norm_that_is_used_twice_goes_into_both_kernels():
    inputs, relu, norm = keras.Input((8, 8, 3)), L.ReLU(), L.BatchNormalization()
    x = relu(norm(L.Conv2D(3, 3, name="a")(inputs)))
    folded = same(randomised(keras.Model(inputs, relu(norm(L.Conv2D(3, 3, name="b")(x))))), IMAGES)
    assert names(folded) == ["a", "b"]
    assert all(folded.get_layer(name).activation is keras.activations.relu for name in "ab")


def test_a_kernel_whose_output_is_read_elsewhere_takes_nothing_in():
    inputs = keras.Input((8, 8, 3))
    x = L.Conv2D(3, 3, padding="same", name="k")(inputs)
    model = keras.Model(inputs, L.Add(name="sum")([L.BatchNormalization(name="bn")(x), x]))
    assert names(same(randomised(model), IMAGES)) == ["k", "bn", "sum"]


def test_a_kernel_whose_output_is_one_of_the_network_takes_nothing_in():
    inputs = keras.Input((8, 8, 3))
    x = L.Conv2D(3, 3, name="k")(inputs)
    folded = same(randomised(keras.Model(inputs, [x, L.ReLU(name="relu")(x)])), IMAGES)
    assert names(folded) == ["k", "relu"]


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (lambda: L.ReLU(), "relu"),
        (lambda: L.ReLU(6), "relu6"),
        (lambda: L.ReLU(max_value=3), None),
        (lambda: L.ReLU(negative_slope=0.1), None),
        (lambda: L.ReLU(threshold=0.5), None),
        (lambda: L.LeakyReLU(), None),
        (lambda: L.PReLU(), None),
        (lambda: L.Activation("relu"), "relu"),
        (lambda: L.Activation("tanh"), "tanh"),
        (lambda: L.Activation("sigmoid"), "sigmoid"),
        (lambda: L.Activation("linear"), "linear"),
        (lambda: L.Softmax(), "softmax"),
        (lambda: L.Softmax(axis=1), None),
        (lambda: L.MaxPooling2D(), None),
        (lambda: L.BatchNormalization(), None),
    ],
)
def test_which_layers_are_an_activation_function_and_nothing_else(layer, name):
    assert activation(layer()) == name


FUSED = {
    "ReLU layer": (lambda x: L.ReLU(name="after")(x), "relu"),
    "ReLU6 layer": (lambda x: L.ReLU(6, name="after")(x), "relu6"),
    "Activation layer": (lambda x: L.Activation("tanh", name="after")(x), "tanh"),
    "Softmax layer": (lambda x: L.Softmax(name="after")(x), "softmax"),
    "ops.relu": (keras.ops.relu, "relu"),
    "ops.relu6": (keras.ops.relu6, "relu6"),
    "ops.sigmoid": (keras.ops.sigmoid, "sigmoid"),
    "ops.tanh": (keras.ops.tanh, "tanh"),
    "ops.softmax": (keras.ops.softmax, "softmax"),
}
NOT_FUSED = {
    "ReLU(max_value=3)": lambda x: L.ReLU(max_value=3, name="after")(x),
    "ReLU(negative_slope=0.1)": lambda x: L.ReLU(negative_slope=0.1, name="after")(x),
    "LeakyReLU": lambda x: L.LeakyReLU(name="after")(x),
    "softmax over frames": lambda x: L.Softmax(axis=1, name="after")(x),
    "ops.softmax over frames": lambda x: L.Identity(name="after")(keras.ops.softmax(x, axis=1)),
}


@pytest.mark.parametrize("kind", FUSED)
def test_an_activation_goes_into_the_layer_before_it(kind):
    make, name = FUSED[kind]
    inputs = keras.Input((10, 3))
    folded = same(randomised(keras.Model(inputs, make(L.Dense(4, name="k")(inputs)))), SEQUENCES)
    assert names(folded) == ["k"]
    assert keras.activations.serialize(folded.get_layer("k").activation) == name


@pytest.mark.parametrize("kind", NOT_FUSED)
def test_other_functions_stay_layers(kind):
    inputs = keras.Input((10, 3))
    folded = same(
        randomised(keras.Model(inputs, NOT_FUSED[kind](L.Dense(4, name="k")(inputs)))), SEQUENCES
    )
    assert names(folded) == ["k", "after"]
    assert folded.get_layer("k").activation is keras.activations.linear


def test_a_second_activation_stays_a_layer():
    folded = same(
        line(VECTORS, L.Dense(4, name="k"), L.ReLU(), L.Activation("tanh", name="second")), VECTORS
    )
    assert names(folded) == ["k", "second"]


def test_a_linear_activation_is_in_nobodys_way():
    layers = [
        L.Dense(4, name="k"),
        L.Activation("linear"),
        L.BatchNormalization(),
        L.Activation("linear"),
        L.ReLU(),
    ]
    assert names(same(line(VECTORS, *layers), VECTORS)) == ["k"]


def test_a_softmax_with_a_mask_stays():
    inputs, mask = keras.Input((4,)), keras.Input((4,), dtype="bool")
    model = randomised(
        keras.Model([inputs, mask], L.Softmax(name="soft")(L.Dense(4, name="k")(inputs), mask))
    )
    values, keep = VECTORS[:, :4], np.array([[True, False, True, True]] * 3)
    np.testing.assert_allclose(fold(model)([values, keep]), model([values, keep]), atol=1e-6)
    assert np.all(fold(model)([values, keep])[:, 1] == 0)


def test_a_layer_as_an_activation_function_gets_its_name():
    folded = same(line(VECTORS, L.Dense(4, activation=L.ReLU(6), name="k")), VECTORS)
    assert folded.get_layer("k").activation is keras.activations.relu6


@pytest.mark.parametrize("use_bias", [True, False], ids=["bias", "no bias"])
def test_a_separable_convolution_becomes_two_and_the_second_takes_in_what_follows(use_bias):
    layer = L.SeparableConv2D(
        5, 3, strides=2, depth_multiplier=2, padding="same", use_bias=use_bias, name="sep"
    )
    folded = same(line(IMAGES, layer, L.BatchNormalization(), L.ReLU()), IMAGES)
    assert names(folded) == ["sep_depthwise", "sep_pointwise"]
    assert folded.get_layer("sep_depthwise").kernel.shape == (3, 3, 3, 2)
    assert folded.get_layer("sep_pointwise").kernel.shape == (1, 1, 3 * 2, 5)
    assert not folded.get_layer("sep_depthwise").use_bias
    assert folded.get_layer("sep_pointwise").activation is keras.activations.relu


def test_the_activation_of_a_separable_convolution_stays_behind_both():
    folded = same(line(IMAGES, L.SeparableConv2D(5, 3, activation="tanh", name="sep")), IMAGES)
    activations = [layer.activation for layer in folded.layers[1:]]
    assert activations == [keras.activations.linear, keras.activations.tanh]


def test_nested_models_are_expanded_and_names_that_occur_twice_get_the_models_in_front():
    block = [L.Conv2D(3, 3, name="conv"), L.BatchNormalization(name="bn"), L.ReLU(name="relu")]
    deepest = keras.Sequential(
        [keras.Input((6, 6, 3)), L.Conv2D(3, 3, name="conv"), L.ReLU(name="out")], name="deepest"
    )
    inner = keras.Sequential([keras.Input((8, 8, 3)), *block, deepest], name="inner")
    inputs = keras.Input((8, 8, 3))
    x = inner(L.Conv2D(3, 3, padding="same", name="conv")(inputs))
    folded = same(randomised(keras.Model(inputs, L.Flatten(name="out")(x), name="outer")), IMAGES)
    assert names(folded) == ["conv", "inner_conv", "inner_deepest_conv", "out"]
    assert folded.name == "outer"


def test_a_nested_model_with_several_inputs_and_outputs():
    a, b = keras.Input((6,)), keras.Input((6,))
    inner = keras.Model(
        [a, b], [L.Dense(4, name="one")(a), L.Dense(4, name="two")(L.Add(name="sum")([a, b]))]
    )
    inputs = keras.Input((6,))
    one, two = inner([inputs, L.Dense(6, name="before")(inputs)])
    model = keras.Model(inputs, L.Concatenate(name="join")([L.ReLU(name="relu")(one), two]))
    assert sorted(names(same(randomised(model), VECTORS))) == [
        "before",
        "join",
        "one",
        "sum",
        "two",
    ]


def test_a_nested_model_that_is_called_twice_stays_shared():
    inner = keras.Sequential(
        [keras.Input((6,)), L.Dense(6, name="k"), L.ReLU(name="relu")], name="inner"
    )
    inputs = keras.Input((6,))
    folded = same(randomised(keras.Model(inputs, inner(inner(inputs)))), VECTORS)
    assert names(folded) == ["k", "relu"]


def test_outputs_in_the_middle_and_several_inputs_keep_their_order():
    a, b = keras.Input((6,), name="a"), keras.Input((6,), name="b")
    middle = L.Dense(6, name="middle")(a)
    model = randomised(keras.Model([b, a], [L.ReLU()(middle + b), middle]))
    folded = fold(model)
    assert [tensor.name for tensor in folded.inputs] == ["b", "a"]
    for found, expected in zip(
        folded([VECTORS, 2 * VECTORS]), model([VECTORS, 2 * VECTORS]), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_folding_again_changes_nothing():
    layers = [
        L.SeparableConv2D(5, 3, name="sep"),
        L.BatchNormalization(),
        L.ReLU(),
        L.Flatten(),
        L.Dense(2),
    ]
    once = fold(line(IMAGES, *layers))
    twice = fold(once)
    assert names(once) == names(twice)
    for mine, theirs in zip(twice.get_weights(), once.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_other_layers_keep_their_weights_and_what_they_derive_from_them():
    norm = L.Normalization(name="norm")
    norm.adapt(5 + 3 * VECTORS)
    model = keras.Sequential([keras.Input((6,)), norm, L.Dense(3, name="k"), L.PReLU(name="p")])
    assert names(same(model, VECTORS)) == ["norm", "k", "p"]


def test_an_lstm_takes_nothing_in():
    folded = same(
        line(SEQUENCES, L.LSTM(4, name="lstm"), L.BatchNormalization(name="bn")), SEQUENCES
    )
    assert names(folded) == ["lstm", "bn"]


def test_mixed_precision_is_undone():
    """Float16 was for training; int8 learning computes in float32."""
    model = line(
        VECTORS, L.Dense(4, dtype="mixed_float16", name="k"), L.ReLU(dtype="mixed_float16")
    )
    folded = fold(model)
    assert {layer.compute_dtype for layer in folded.layers} == {"float32"}
    np.testing.assert_allclose(folded(VECTORS), np.float32(model(VECTORS)), atol=1e-2)


def test_frozen_kernels_learn_again_and_other_frozen_layers_do_not():
    """Masks and int8 need a network that can make up for them; a BatchNorm that is frozen has its reasons."""
    layers = [
        L.Dense(4, trainable=False, name="k"),
        L.ReLU(),
        L.BatchNormalization(trainable=False, name="bn"),
    ]
    folded = same(line(VECTORS, *layers), VECTORS)
    assert folded.get_layer("k").trainable
    assert not folded.get_layer("bn").trainable


def test_a_model_without_a_graph_is_refused():
    with pytest.raises(UsageError, match="is no functional or built Sequential model"):
        fold(keras.Sequential([L.Dense(2)]))


# --- what TimeDistributed does to every frame is done by layers of the whole sequence

CLIPS = np.random.default_rng(0).normal(size=(2, 3, 7, 6, 2)).astype(np.float32)
SPANS = np.random.default_rng(0).normal(size=(2, 3, 9, 2)).astype(np.float32)
#: Values, the wrapped layer, and the kinds of layers that it becomes.
OVER_TIME = {
    "dense": (SEQUENCES, L.Dense(5), ["Dense"]),
    "conv of one row": (CLIPS, L.Conv2D(4, (1, 3)), ["Reshape", "Conv2D", "Reshape"]),
    "conv": (
        CLIPS,
        L.Conv2D(4, 3),
        ["Reshape", "ZeroPadding2D", "Conv2D", "Reshape", "Cropping2D", "Reshape"],
    ),
    "pool": (CLIPS, L.MaxPooling2D((1, 2)), ["Reshape", "MaxPooling2D", "Reshape"]),
    "whole pool": (CLIPS, L.GlobalAveragePooling2D(), ["Reshape", "AveragePooling2D", "Reshape"]),
    "conv1d": (SPANS, L.Conv1D(4, 3, strides=2, padding="same"), ["Conv2D"]),
    "causal conv1d": (SPANS, L.Conv1D(4, 3, padding="causal"), ["ZeroPadding2D", "Conv2D"]),
    "depthwise conv1d": (SPANS, L.DepthwiseConv1D(3), ["DepthwiseConv2D"]),
    "separable conv1d": (SPANS, L.SeparableConv1D(4, 3), ["DepthwiseConv2D", "Conv2D"]),
    "flatten": (CLIPS, L.Flatten(), ["Reshape"]),
    "batch norm": (SPANS, L.BatchNormalization(axis=2), ["BatchNormalization"]),
    "permute": (SPANS, L.Permute((2, 1)), ["TimeDistributed"]),
    "padded pool": (CLIPS, L.MaxPooling2D(2, padding="same"), ["TimeDistributed"]),
}


@pytest.mark.parametrize("kind", OVER_TIME)
def test_a_layer_of_every_frame_becomes_layers_of_the_sequence(kind):
    values, layer, kinds = OVER_TIME[kind]
    wrapped = L.TimeDistributed(type(layer).from_config(layer.get_config()), name="wrapped")
    folded = same(line(values, wrapped), values)
    assert [type(part).__name__ for part in folded.layers[1:]] == kinds


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_windows_of_stacked_frames_are_those_of_each_frame(size, stride, padding):
    layer = L.Conv2D(4, (size, 2), strides=(stride, stride), padding=padding)
    same(line(CLIPS, L.TimeDistributed(layer)), CLIPS)


def test_a_network_of_every_frame_keeps_batch_norm_and_activation_in_its_kernels():
    frame = keras.Sequential(
        [
            keras.Input((7, 6, 2)),
            L.Conv2D(4, 3, name="conv"),
            L.BatchNormalization(),
            L.ReLU(),
            L.MaxPooling2D((5, 2), name="pool"),
            L.Flatten(name="flat"),
            L.Dense(3, name="dense"),
        ],
        name="frame",
    )
    folded = same(line(CLIPS, L.TimeDistributed(frame), L.LSTM(2, name="lstm")), CLIPS)
    assert folded.get_layer("conv").activation is keras.activations.relu
    assert not [name for name in names(folded) if "norm" in name]
    assert {"pool", "flat", "dense", "lstm"} < set(names(folded))


def test_a_layer_of_every_frame_that_is_called_twice_has_one_kernel():
    inputs, shared = keras.Input(CLIPS.shape[1:]), L.TimeDistributed(L.Conv2D(2, 3, padding="same"))
    folded = same(randomised(keras.Model(inputs, shared(shared(inputs)))), CLIPS)
    assert len([layer for layer in folded.layers if isinstance(layer, L.Conv2D)]) == 1


def test_a_separable_convolution_in_time_becomes_two():
    layer = L.SeparableConv1D(5, 3, depth_multiplier=2, activation="relu", name="sep")
    folded = same(line(SEQUENCES, layer), SEQUENCES)
    assert names(folded) == ["sep_depthwise", "sep_pointwise"]
    assert folded.get_layer("sep_depthwise").kernel.shape == (3, 3, 2)


# --- normalisations over channels and attention are products and operators that int8 has

NORMS = {
    "layer": (L.LayerNormalization(), ["mean", "centred", "squares", "variance", "root"]),
    "layer without gamma": (
        L.LayerNormalization(scale=False),
        ["mean", "centred", "squares", "variance", "root"],
    ),
    "root mean square": (L.RMSNormalization(), ["squares", "variance", "root"]),
}


@pytest.mark.parametrize("kind", NORMS)
def test_a_normalisation_over_channels_becomes_operators_of_int8(kind):
    norm, parts = NORMS[kind]
    layer = type(norm).from_config({**norm.get_config(), "name": "norm"})
    folded = same(line(SEQUENCES, L.Dense(4, name="k"), layer), SEQUENCES)
    expected = [f"norm_{part}" for part in (*parts, "normalised", "scale")]
    assert names(folded) == ["k", *expected]
    assert names(same(folded, SEQUENCES)) == names(folded)


def test_a_normalisation_over_frames_stays():
    layer = L.LayerNormalization(axis=1, name="norm")
    assert names(same(line(SEQUENCES, layer), SEQUENCES)) == ["norm"]


def test_attention_of_heads_becomes_four_products_around_it():
    inputs = keras.Input(SEQUENCES.shape[1:])
    attention = L.MultiHeadAttention(3, 4, value_dim=2, output_shape=5, name="a")
    folded = same(randomised(keras.Model(inputs, attention(inputs, inputs))), SEQUENCES)
    parts = {layer.name: tuple(layer.output.shape[1:]) for layer in folded.layers[1:]}
    keys, values = (10, 3 * 4), (10, 3 * 2)
    assert parts == {
        "a_query": keys,
        "a_key": keys,
        "a_value": values,
        "a_heads": values,
        "a_output": (10, 5),
    }


def test_attention_to_the_past_and_to_all_frames_share_their_products():
    attention = L.MultiHeadAttention(2, 4, name="a")
    inputs = keras.Input(SEQUENCES.shape[1:])
    outputs = [attention(inputs, inputs, use_causal_mask=past) for past in (True, False)]
    folded = same(randomised(keras.Model(inputs, outputs)), SEQUENCES)
    heads = {layer.name: layer.causal for layer in folded.layers if "heads" in layer.name}
    assert heads == {"a_causal_heads": True, "a_heads": False}


def test_an_attention_layer_is_one_head_whose_channels_stay():
    inputs = keras.Input(SEQUENCES.shape[1:])
    x = L.Dense(6, name="k")(inputs)
    y = L.Dense(4, name="wide")(L.Attention(name="a")([x, x], use_causal_mask=True))
    folded = same(randomised(keras.Model(inputs, L.Dense(2)(y))), SEQUENCES)
    head = folded.get_layer("a_causal")
    assert (head.key_size, head.value_size, head.causal) == (6, 6, True)
    assert [item.name for item in coupling(folded).sets] == ["wide"]


def test_attention_with_a_mask_of_its_own_is_refused_in_one_line():
    inputs = keras.Input(SEQUENCES.shape[1:])
    mask = keras.Input((10, 10), dtype="bool")
    outputs = L.MultiHeadAttention(2, 4, name="a")(inputs, inputs, attention_mask=mask)
    said = "^MultiHeadAttention layer 'a' is called with attention_mask.* use_causal_mask to"
    with pytest.raises(UsageError, match=said):
        fold(keras.Model([inputs, mask], outputs))


@pytest.mark.parametrize(
    ("merge", "whole"),
    [("concat", True), ("concat", False), ("sum", True), ("mul", False), ("ave", True)],
)
def test_a_bidirectional_lstm_becomes_two(merge, whole):
    layer = L.Bidirectional(L.LSTM(3, return_sequences=whole), merge_mode=merge, name="b")
    folded = same(line(SEQUENCES, layer), SEQUENCES)
    in_order = ["b_in_order"] if whole else []
    assert set(names(folded)) == {"b_forward", "b_reversed", "b_backward", *in_order, "b"}
