import keras
import numpy as np
import pytest

from tinyprune.compress.fake_quant import FakeQuantize
from tinyprune.compress.fold import fold
from tinyprune.compress.grids import nearest, singular_operations, unfamiliar
from tinyprune.compress.prepare import calibrate, prepare

L, ops = keras.layers, keras.ops
IMAGES = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)


def conv(x, name: str, **config):
    return L.Conv2D(4, 3, padding="same", name=name, **config)(x)


def prepared(build, shape: tuple[int, ...] = (8, 8, 3)) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape, name="in")
    return prepare(fold(keras.Model(inputs, build(inputs))))


def grids(build, shape: tuple[int, ...] = (8, 8, 3)) -> list[str]:
    """Names of the grids that are not inside a compressed layer, without that of the input."""
    names = [
        layer.name for layer in prepared(build, shape).layers if isinstance(layer, FakeQuantize)
    ]
    assert names[0] == "in_grid"
    return names[1:]


def test_a_compressed_layer_brings_its_own_grid():
    assert grids(lambda x: conv(x, "a", activation="relu")) == []


def test_a_relu_behind_an_add_shares_its_grid():
    """TFLite fuses it into the ADD: between the two there is no tensor."""
    assert grids(
        lambda x: L.ReLU(name="relu")(L.Add(name="sum")([conv(x, "a"), conv(x, "b")]))
    ) == ["relu_grid"]


@pytest.mark.parametrize("merge", [L.Subtract, L.Multiply])
def test_so_does_a_relu6_behind_the_other_merges_that_take_one_in(merge):
    assert grids(
        lambda x: L.ReLU(6, name="relu")(merge(name="sum")([conv(x, "a"), conv(x, "b")]))
    ) == ["relu_grid"]


@pytest.mark.parametrize("merge", [L.Maximum, L.Concatenate, L.Average])
def test_a_relu_behind_other_merges_has_one_of_its_own(merge):
    names = grids(lambda x: L.ReLU(name="relu")(merge(name="both")([conv(x, "a"), conv(x, "b")])))
    assert names == ["both_grid", "relu_grid"]


def test_an_add_that_is_read_elsewhere_too_keeps_its_grid():
    def build(x):
        total = L.Add(name="sum")([conv(x, "a"), conv(x, "b")])
        return L.Concatenate(name="both")([L.ReLU(name="relu")(total), total])

    assert grids(build) == ["sum_grid", "relu_grid", "both_grid"]


def test_an_add_without_an_activation_and_one_with_another_keep_their_grid():
    assert grids(lambda x: L.Add(name="sum")([conv(x, "a"), conv(x, "b")])) == ["sum_grid"]
    other = grids(
        lambda x: L.Activation("tanh", name="tanh")(L.Add(name="sum")([conv(x, "a"), conv(x, "b")]))
    )
    assert other == ["sum_grid", "tanh_grid"]


def test_each_call_of_a_layer_has_a_grid_of_its_own():
    def build(x):
        add = L.Add(name="sum")
        return add([add([conv(x, "a"), conv(x, "b")]), conv(x, "c")])

    assert grids(build) == ["sum_grid", "sum_grid_2"]


SAME = {
    "pooling": lambda x: L.AveragePooling2D(2)(L.MaxPooling2D()(x)),
    "global max": lambda x: L.GlobalMaxPooling2D()(x),
    "reshape": lambda x: L.Flatten()(L.Permute((2, 1, 3))(L.Reshape((4, 16, 4))(x))),
    "padding": lambda x: L.UpSampling2D()(L.Cropping2D()(L.ZeroPadding2D(2)(x))),
    "dropout": lambda x: L.SpatialDropout2D(0.5)(L.Dropout(0.5)(x)),
    "operations": lambda x: ops.squeeze(
        ops.expand_dims(ops.transpose(x, (0, 2, 1, 3))[:, 1:], 1), 1
    ),
}


@pytest.mark.parametrize("kind", SAME)
def test_what_keeps_the_scale_of_its_input_has_no_grid(kind):
    assert grids(lambda x: SAME[kind](conv(x, "a"))) == []


def test_a_mean_has_a_grid():
    assert grids(lambda x: L.GlobalAveragePooling2D(name="mean")(conv(x, "a"))) == ["mean_grid"]


def test_operations_have_grids_like_layers():
    for kind, build in {
        "multiply": lambda x: 2 * x,
        "add": lambda x: x + 1.0,
        "relu": lambda x: ops.relu(1 - x),
    }.items():
        found = grids(lambda x, build=build: build(conv(x, "a")))
        assert [name.startswith(kind) for name in found] == [True], found


@pytest.mark.parametrize(
    ("kind", "bounds"),
    [("sigmoid", (0, 255 / 256)), ("tanh", (-1, 127 / 128)), ("softmax", (0, 255 / 256))],
)
def test_ranges_that_tflite_prescribes_do_not_follow_the_data(kind, bounds):
    model = prepared(
        lambda x: L.Activation(kind, name="bounded")(L.MaxPooling2D(name="pool")(conv(x, "a")))
    )
    calibrate(model, [IMAGES])
    grid = model.get_layer("bounded_grid")
    assert (grid.low.numpy(), grid.high.numpy()) == bounds


def test_the_grid_behind_a_relu_begins_at_0():
    model = prepared(lambda x: L.ReLU(name="relu")(L.Add(name="sum")([conv(x, "a"), conv(x, "b")])))
    calibrate(model, [IMAGES])
    assert model.get_layer("relu_grid").positive
    assert model.get_layer("relu_grid").low.numpy() == 0 < model.get_layer("relu_grid").high.numpy()


def test_indices_and_truth_values_have_no_grid():
    assert grids(lambda x: ops.argmax(conv(x, "a"), axis=-1)) == []
    assert grids(lambda x: ops.greater(conv(x, "a"), 0.0)) == []


def test_several_outputs_have_no_grid_for_they_keep_the_scale():
    assert grids(lambda x: ops.split(conv(x, "a"), 2, axis=-1)) == []


def test_an_input_that_holds_no_floats_has_no_grid():
    ids = keras.Input((4,), dtype="int32", name="ids")
    model = prepare(fold(keras.Model(ids, L.Dense(2)(L.Embedding(5, 3, name="table")(ids)))))
    assert [layer.name for layer in model.layers if isinstance(layer, FakeQuantize)] == [
        "table_grid"
    ]


def test_operations_that_are_infinite_at_0_are_named():
    inputs = keras.Input((4,))
    x = keras.ops.log(inputs)
    x = keras.ops.sqrt(x) / inputs + keras.ops.exp(inputs)
    names = [name.split()[0] for name in singular_operations(keras.Model(inputs, x))]
    assert names == ["Log", "Sqrt", "TrueDivide"]


def test_what_only_a_conversion_can_say_is_named():
    def build(x):
        x = L.LayerNormalization(axis=1, name="norm")(conv(x, "a"))
        return L.Dense(2, name="out")(L.ReLU(name="relu")(ops.erf(L.Flatten()(x))))

    inputs = keras.Input((8, 8, 3))
    found = unfamiliar(fold(keras.Model(inputs, build(inputs))))
    assert found[0] == "LayerNormalization 'norm'"
    assert found[1].startswith("Erf 'erf")
    assert len(found) == 2


def test_so_is_an_activation_function_of_which_nothing_is_known():
    def build(x):
        x = conv(conv(x, "a", activation="gelu"), "b", activation="sparse_plus")
        x = conv(x, "c", activation=L.LeakyReLU())
        return L.Activation("relu")(L.MaxPooling2D()(x))

    inputs = keras.Input((8, 8, 3))
    found = unfamiliar(fold(keras.Model(inputs, build(inputs))))
    assert found == [
        "Conv2D 'b' with activation sparse_plus",
        "Conv2D 'c' with activation LeakyReLU",
    ]


def test_functions_that_cannot_be_int8_have_one_that_is_near():
    def build(x):
        x = conv(conv(x, "a", activation="sparse_plus"), "b", activation="elu")
        return ops.hard_shrink(L.Activation("squareplus")(L.Flatten()(x)))

    inputs = keras.Input((8, 8, 3))
    assert nearest(fold(keras.Model(inputs, build(inputs)))) == [
        "softplus in place of sparse_plus",
        "softplus in place of squareplus",
        "soft_shrink in place of hard_shrink",
    ]


def test_an_embedding_has_a_dense_layer_that_does_the_same():
    tokens = keras.Input((4,), dtype="int32")
    [advice] = nearest(fold(keras.Model(tokens, L.Embedding(5, 3)(tokens))))
    assert advice.startswith("one-hot inputs and Dense(..., use_bias=False)")
    table = L.Embedding(5, 3)
    table.build()
    dense = L.Dense(3, use_bias=False)
    dense.build((None, 5))
    dense.kernel.assign(table.embeddings)
    one_hot = np.eye(5, dtype=np.float32)[[[4, 0, 2]]]
    np.testing.assert_array_equal(dense(one_hot), table(np.array([[4, 0, 2]])))
